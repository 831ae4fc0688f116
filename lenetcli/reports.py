"""The report of the exercise: a typeset PDF, its editable source, and the check of one against the store."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

from lenetcli import __version__
from lenetcli.errors import NotFoundError, UsageError
from lenetcli.facts import Evidence, Facts, choose_sweeps, gather
from lenetcli.outputs import REPORTS, check_output, write_output
from lenetcli.runs import Sweep
from lenetcli.typesetting import typeset

TITLE = "A small LeNet: learning rates, filters, runtime"
FORMAT = 2
ATTACHMENT = "facts.json"
FIGURES = "report_figures"
WIDTH = 6.69
HEIGHTS = (3.4, 2.8, 2.2)
"""Of the figures, in inches; the tallest that costs no page is taken."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report: its facts, and its figures as SVG by file name."""

    facts: Facts
    figures: dict[str, bytes]

    def missing(self) -> list[str]:
        """What the store lacks for the exercise, each with the command that runs it."""
        missing = self.facts["missing"]
        lacking = [*missing["learning_rates"], *missing["filters"]]
        return [f"{statement['text']} This trains it: {statement['command']}" for statement in lacking]

    def source(self, folder: str = FIGURES) -> str:
        """The Typst source, which looks for figures and facts in ``folder``."""
        return typeset(self.facts, folder)

    def pdf(self) -> bytes:
        """The typeset document; the same facts and figures give the same bytes."""
        import typst

        files: Any = {f"{FIGURES}/{name}": content for name, content in self.attachments().items()}
        files["main"] = self.source().encode()
        compiler = typst.Compiler(files, ignore_system_fonts=True)
        document = compiler.compile(format="pdf")
        assert isinstance(document, bytes)
        return document

    def count_pages(self) -> int:
        """The number of pages of the document."""
        from pypdf import PdfReader

        return len(PdfReader(BytesIO(self.pdf())).pages)

    def attachments(self) -> dict[str, bytes]:
        """The files beside the source: figures and facts."""
        return {**self.figures, ATTACHMENT: write_facts(self.facts)}

    def write(self, path: Path) -> None:
        """Write a PDF, or for ``.typ`` the source and a folder ``…_figures`` beside it.

        Raises:
            UsageError: for another ending, or where something cannot be written.
        """
        check_output(path, REPORTS)
        if path.suffix.lower() == ".pdf":
            write_output(path, self.pdf())
            return
        folder = path.with_name(f"{path.stem}_figures")
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{folder} cannot be made: {error.strerror}.", "Choose another file with -o."
            ) from error
        for name, content in self.attachments().items():
            write_output(folder / name, content)
        write_output(path, self.source(folder.name).encode())


def write_facts(facts: Facts) -> bytes:
    """The facts as JSON, keys sorted."""
    text = json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text.encode(errors="backslashreplace")  # JSON escapes what is no text in the same way


def make(
    evidence: Evidence, *, title: str = TITLE, author: str | None = None, sweeps: Sequence[str] | None = None
) -> Report:
    """Make the report of a store.

    Args:
        evidence: the store.
        title: stands above the report.
        author: stands below the title.
        sweeps: whole ids of the sweeps to report on; None for the newest over learning rates and
            the newest over filters of each kind of device.

    Raises:
        NotFoundError: where there is nothing to report on.
    """
    options = {"title": title, "author": author, "store": evidence.name}
    chosen = choose_sweeps(evidence, sweeps)
    return _render(chosen, _state(evidence, chosen, options))


def _state(evidence: Evidence, sweeps: Sequence[Sweep], options: Facts) -> Facts:
    """All facts of a report, as they are attached to it."""
    facts = gather(evidence, sweeps)
    facts |= {
        "format": FORMAT,
        "options": {**options, "sweeps": [sweep.id for sweep in sweeps]},
        "versions": {"lenetcli": __version__, "matplotlib": version("matplotlib"), "typst": version("typst")},
    }
    return facts


def _render(sweeps: Sequence[Sweep], facts: Facts) -> Report:
    """The report on as few pages as it can be, with figures as tall as that allows."""
    shortest = Report(facts, _draw(sweeps, HEIGHTS[-1]))
    pages = shortest.count_pages()
    for height in HEIGHTS[:-1]:
        taller = Report(facts, _draw(sweeps, height))
        if taller.count_pages() <= pages:
            return taller
    return shortest


def _draw(sweeps: Sequence[Sweep], height: float) -> dict[str, bytes]:
    from lenetcli.canvas import render
    from lenetcli.plots import draw_curves, draw_runtime
    from lenetcli.runtimes import runtime_series
    from lenetcli.series import sweep_curves

    figures = {}
    rates = [sweep for sweep in sweeps if sweep.parameter == "lr"]
    filters = [sweep for sweep in sweeps if sweep.parameter == "filters"]
    if rates:
        curves = sweep_curves(rates[0])
        figures["learning_rates.svg"] = render(draw_curves(curves, titled=False, size=(WIDTH, height)), "svg")
    if filters:
        series = runtime_series(filters)
        figures["runtime.svg"] = render(draw_runtime(series, titled=False, size=(WIDTH, height)), "svg")
    return figures


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check found: ``rendered`` tells whether the document was also compared byte by byte."""

    differences: tuple[str, ...]
    rendered: bool


def verify(evidence: Evidence, path: Path) -> Verification:
    """Compute every fact of a report again, and with the same versions the document itself.

    Raises:
        NotFoundError: where there is no such file.
        UsageError: where the file is not a report that lenetcli made.
    """
    document = _read(path)
    stated = _extract(document, path)
    try:
        options = stated["options"]
        chosen = choose_sweeps(evidence, options["sweeps"])
        told = {name: options[name] for name in ("title", "author", "store")}
    except NotFoundError as error:
        return Verification((error.problem,), False)
    except (KeyError, TypeError) as error:
        raise _not_a_report(path) from error
    facts = _state(evidence, chosen, told)
    found = json.loads(write_facts(facts))
    same = stated.get("versions") == found.pop("versions")
    stated.pop("versions", None)
    differences = list(_compare("", stated, found))
    if same and not differences and _render(chosen, facts).pdf() != document:
        differences.append("the text or the figures of the document are not those that the store gives")
    return Verification(tuple(differences), same)


def _read(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise _not_a_report(path)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError(
            f"There is no file {path}.", "Name a PDF that `lenetcli report` has written."
        ) from error
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", "Name a PDF that can be read."
        ) from error


def _extract(document: bytes, path: Path) -> Facts:
    import logging

    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what is wrong is ours to say
    try:
        attached = PdfReader(BytesIO(document)).attachments[ATTACHMENT]
        facts = json.loads(attached[0])
    except Exception as error:  # a damaged PDF raises whatever the damage leads to
        raise _not_a_report(path) from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise _not_a_report(path)
    return facts


def _not_a_report(path: Path) -> UsageError:
    return UsageError(
        f"{path} is not a report that this lenetcli can check.",
        "Name a PDF that `lenetcli report` has written.",
    )


def _compare(place: str, stated: Any, found: Any) -> Iterator[str]:
    """Where two JSON values differ, in words."""
    if isinstance(stated, dict) and isinstance(found, dict):
        for name in sorted(stated.keys() | found.keys()):
            yield from _compare(f"{place}.{name}" if place else name, stated.get(name), found.get(name))
    elif isinstance(stated, list) and isinstance(found, list) and len(stated) == len(found):
        for number, (left, right) in enumerate(zip(stated, found, strict=True), 1):
            yield from _compare(f"{place}[{number}]", left, right)
    elif stated != found or type(stated) is not type(found):
        yield f"{place}: the report says {stated!r}, the store {found!r}"
