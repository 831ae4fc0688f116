"""The report as a document: a PDF with its facts attached, or its Typst source; the size of its figures."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

from lenetcli.errors import UsageError
from lenetcli.experiment.sweep import Sweep
from lenetcli.files import check_output, write_output
from lenetcli.output.report.facts import Evidence, Facts, choose_sweeps, gather
from lenetcli.output.report.typesetting import typeset
from lenetcli.version import __version__

ENDINGS = (".pdf", ".typ")
TITLE = "A small LeNet: learning rates, filters, runtime"
FORMAT = 2
"""The version of the structure of the facts; reports with another one cannot be verified."""

ATTACHMENT = "facts.json"
FIGURES = "report_figures"
"""The folder of figures and facts in the Typst source of a PDF."""

WIDTH = 6.69
"""The width of the figures in inches: that of the text."""

HEIGHTS = (3.4, 2.8, 2.2)
"""The possible heights of the figures in inches, the tallest first."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report: its facts, and its figures as SVG files by name."""

    facts: Facts
    figures: dict[str, bytes]

    def missing(self) -> list[str]:
        """Sentences on the experiments of the exercise that the store lacks, each with the command for it."""
        missing = self.facts["missing"]
        statements = [*missing["learning_rates"], *missing["filters"]]
        return [f"{statement['text']} This trains it: {statement['command']}" for statement in statements]

    def source(self, folder: str = FIGURES) -> str:
        """The Typst source, which reads figures and facts from ``folder``."""
        return typeset(self.facts, folder)

    def pdf(self) -> bytes:
        """The bytes of the PDF; the same facts and figures give the same bytes."""
        import typst

        files: Any = {f"{FIGURES}/{name}": content for name, content in self.attachments().items()}
        files["main"] = self.source().encode()
        compiler = typst.Compiler(files, ignore_system_fonts=True)
        document = compiler.compile(format="pdf")
        assert isinstance(document, bytes)
        return document

    def count_pages(self) -> int:
        """The number of pages of the PDF."""
        from pypdf import PdfReader

        return len(PdfReader(BytesIO(self.pdf())).pages)

    def attachments(self) -> dict[str, bytes]:
        """The figures and the facts as files, by name."""
        return {**self.figures, ATTACHMENT: write_facts(self.facts)}

    def write(self, path: Path) -> None:
        """Write a PDF, or for ``.typ`` the source and a folder ``…_figures`` beside it.

        Raises:
            UsageError: if the ending is another one, or a file or the folder cannot be written.
        """
        check_output(path, ENDINGS)
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
    return text.encode(errors="backslashreplace")  # escapes lone surrogates as JSON does


def make(
    evidence: Evidence, *, title: str = TITLE, author: str | None = None, sweeps: Sequence[str] | None = None
) -> Report:
    """The report of a store.

    Args:
        evidence: the store.
        title: the title of the report.
        author: the line below the title; None for no line.
        sweeps: the full ids of the sweeps to report on; None for the newest over learning rates and
            the newest over filters of each kind of device.

    Raises:
        NotFoundError: if no sweep has a result to report on, or one of ``sweeps`` is not in the store.
    """
    options = {"title": title, "author": author, "store": evidence.name}
    selection = choose_sweeps(evidence, sweeps)
    return render_report(selection, collect_facts(evidence, selection, options))


def collect_facts(evidence: Evidence, sweeps: Sequence[Sweep], options: Facts) -> Facts:
    """All facts of a report, as attached to its PDF.

    Args:
        evidence: the store.
        sweeps: the sweeps to report on.
        options: ``title``, ``author`` and ``store``, the path of the store.
    """
    facts = gather(evidence, sweeps)
    facts |= {
        "format": FORMAT,
        "options": {**options, "sweeps": [sweep.id for sweep in sweeps]},
        "versions": {"lenetcli": __version__, "matplotlib": version("matplotlib"), "typst": version("typst")},
    }
    return facts


def render_report(sweeps: Sequence[Sweep], facts: Facts) -> Report:
    """The report with figures of the tallest of ``HEIGHTS`` that needs no more pages than the shortest."""
    # Only typesetting shows how many pages a report has. The lowest figures give the fewest pages, and the
    # others are tried from the tallest down. Each attempt draws all figures and compiles the document anew,
    # so that three heights are tried instead of a search for the best one.
    shortest = Report(facts, _draw_figures(sweeps, HEIGHTS[-1]))
    pages = shortest.count_pages()
    for height in HEIGHTS[:-1]:
        taller = Report(facts, _draw_figures(sweeps, height))
        if taller.count_pages() <= pages:
            return taller
    return shortest


def _draw_figures(sweeps: Sequence[Sweep], height: float) -> dict[str, bytes]:
    """The figures of a report as SVG files by name, ``height`` inches tall."""
    from lenetcli.analysis.curves import sweep_curves
    from lenetcli.analysis.runtimes import runtime_series
    from lenetcli.output.figures.curves import draw_curves
    from lenetcli.output.figures.runtimes import draw_runtime
    from lenetcli.output.figures.sheet import render

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
