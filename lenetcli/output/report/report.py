"""The report as a document: a PDF with its facts attached, or a source in Typst, LaTeX or Markdown."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from lenetcli.files import check_output, store_option, write_output, write_outputs
from lenetcli.output.figures.fonts import Font
from lenetcli.output.report import fonts, latex
from lenetcli.output.report.facts import Facts
from lenetcli.output.report.interpretation import parse_markdown
from lenetcli.output.report.markdown import write_markdown

if TYPE_CHECKING:
    import typst

ENDINGS = (".pdf", ".typ", ".md", ".tex")
PICTURES = {".tex": "pdf", ".md": "png"}
"""The kind of the figures beside a source."""
ATTACHMENT = "facts.json"
INTERPRETATION = "interpretation.json"
FIGURES = "report_figures"
"""The folder of figures and facts while a PDF is made."""
WIDTH = 6.69
"""The width of the figures in inches: that of the text."""
HEIGHTS = (3.4, 2.8, 2.2)
"""The possible heights of the figures in inches, the tallest first."""
MANY_PAGES = 5
"""From so many pages on, one more is no reason for flat figures, nor for the time that counting takes."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report: its facts, from which the document is made, and fonts for what its own fonts lack."""

    facts: Facts
    fonts: tuple[Font, ...] = ()

    def missing(self, option: str = "") -> list[str]:
        """Sentences on the experiments of the exercise that the store lacks, each with the command for it.

        ``option`` ends each command, in place of the name of the store in the report.
        """
        statements = (*self.facts.learning_rates.missing, *self.facts.filters.missing)
        own = store_option(self.facts.options.store)
        return [f"{s.text} {s.purpose} {s.command.removesuffix(own)}{option}" for s in statements]

    def describe_unset(self, path: Path) -> list[str]:
        """Sentences on letters that the document at a path, by its ending, cannot have."""
        kind = path.suffix.lower()
        if kind not in (".tex", ".md"):
            return fonts.describe_unset(self.facts, self.fonts)
        texts = latex.describe_unset(self.facts) if kind == ".tex" else []
        return texts + fonts.describe_undrawn(self.facts, self.fonts)

    def files(self) -> dict[str, bytes]:
        """The facts and the figures as SVG, by file name.

        The figures have the tallest of ``HEIGHTS`` that needs no more pages than the shortest, or in a report
        of ``MANY_PAGES`` the tallest of all.
        """
        from lenetcli.output.figures.figure import draw, render

        facts = {ATTACHMENT: self.facts.to_json()}
        if text := self.facts.options.interpretation:
            facts[INTERPRETATION] = json.dumps(parse_markdown(text), ensure_ascii=False).encode()
        figures = [s.figure for s in (self.facts.learning_rates, self.facts.filters) if s.figure]

        height = self._choose_height(facts, [figure.file for figure in figures])
        return facts | {
            figure.file: render(
                draw(figure.series, titled=False, size=(WIDTH, height), fonts=self.fonts), "svg"
            )
            for figure in figures
        }

    def _choose_height(self, facts: Mapping[str, bytes], figures: Sequence[str]) -> float:
        """The height of the figures with these names in inches, of a report with these files of facts."""

        # Only typesetting shows how many pages a report has; blank figures serve for that.
        @cache
        def count_pages(height: float) -> int:
            svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}in" height="{height}in"/>'
            with self._compiler({**facts, **dict.fromkeys(figures, svg.encode())}) as compiler:
                return int(compiler.query("<pages>", field="value", one=True))

        tallest, *_, shortest = HEIGHTS
        if count_pages(tallest) >= MANY_PAGES:
            return tallest
        most = count_pages(shortest)
        return next(height for height in HEIGHTS if count_pages(height) <= most)

    def pdf(self) -> bytes:
        """The bytes of the PDF; the same facts give the same bytes."""
        with self._compiler(self.files()) as compiler:
            document = compiler.compile(format="pdf")
        assert isinstance(document, bytes)
        return document

    def write(self, path: Path) -> str:
        """Write a PDF, or a source with a folder ``…_figures`` beside it; all of these files, or none.

        What is returned is the sentence of ``write_output``, and where the figures are.

        Raises:
            UsageError: if the ending is another one, or a file or the folder cannot be written.
        """
        check_target(path)
        kind = path.suffix.lower()
        if kind == ".pdf":
            return write_output(path, self.pdf())
        folder = _folder(path)
        files = self.files() if kind == ".typ" else self._pictures(PICTURES[kind])
        contents = {folder / name: content for name, content in files.items()}
        sentence = write_outputs(contents | {path: self._source(kind, folder.name)})
        return f"{sentence}; its figures are in {folder}"

    @contextmanager
    def _compiler(self, files: Mapping[str, bytes]) -> Iterator["typst.Compiler"]:
        """The context with the Typst compiler of the report with these figures and facts."""
        import typst

        with fonts.open_fonts(self.fonts) as (known, names):
            paths: Any = {"main": _write_typst(FIGURES, names)}
            paths |= {f"{FIGURES}/{name}": content for name, content in files.items()}
            yield typst.Compiler(paths, font_paths=known, ignore_system_fonts=True)

    def _source(self, kind: str, folder: str) -> bytes:
        """The source with an ending whose figures and facts are in ``folder``."""
        if kind == ".typ":
            with fonts.open_fonts(self.fonts) as (_, names):
                return _write_typst(folder, names)
        write = write_markdown if kind == ".md" else latex.write_latex
        return write(self.facts, folder).encode(errors="replace")

    def _pictures(self, kind: str) -> dict[str, bytes]:
        """The facts, and the figures as ``png`` or ``pdf``, by file name."""
        from lenetcli.output.figures.figure import draw, render

        figures = [s.figure for s in (self.facts.learning_rates, self.facts.filters) if s.figure]
        return {ATTACHMENT: self.facts.to_json()} | {
            f"{PurePath(figure.file).stem}.{kind}": render(
                draw(figure.series, titled=False, size=(WIDTH, HEIGHTS[0])), kind
            )
            for figure in figures
        }


def check_target(path: Path) -> None:
    """Check that a report can be written to a path, before any work is done; see ``check_output``.

    Raises:
        UsageError: as ``Report.write`` does.
    """
    check_output(path, ENDINGS)
    if path.suffix.lower() != ".pdf":
        folder = _folder(path)
        check_output(folder / ATTACHMENT if os.path.lexists(folder) else folder, ())


def _folder(path: Path) -> Path:
    """The folder of the figures and facts of a source; for LaTeX its name has no other characters."""
    stem = re.sub("[^A-Za-z0-9_.-]", "-", path.stem) if path.suffix.lower() == ".tex" else path.stem
    return path.with_name(f"{stem}_figures")


def _write_typst(folder: str, names: Sequence[str]) -> bytes:
    """The Typst source of a report whose figures and facts are in ``folder``, with fonts to fall back on."""
    template = resources.files(__package__).joinpath("report.typ").read_text("utf-8")
    place = f"#let folder = {json.dumps(folder, ensure_ascii=False)}"
    fallback = f"#let fallback = {fonts.write_names(names)}"
    return f"{place}\n{fallback}\n{template}".encode(errors="replace")
