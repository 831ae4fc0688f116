"""Files that people ask for: checked before any work, written whole or not at all."""

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
    return render_report(chosen, collect_facts(evidence, chosen, options))


def collect_facts(evidence: Evidence, sweeps: Sequence[Sweep], options: Facts) -> Facts:
    """All facts of a report, as they are attached to it."""
    facts = gather(evidence, sweeps)
    facts |= {
        "format": FORMAT,
        "options": {**options, "sweeps": [sweep.id for sweep in sweeps]},
        "versions": {"lenetcli": __version__, "matplotlib": version("matplotlib"), "typst": version("typst")},
    }
    return facts


def render_report(sweeps: Sequence[Sweep], facts: Facts) -> Report:
    """The report on as few pages as it can be, with figures as tall as that allows."""
    shortest = Report(facts, _draw(sweeps, HEIGHTS[-1]))
    pages = shortest.count_pages()
    for height in HEIGHTS[:-1]:
        taller = Report(facts, _draw(sweeps, height))
        if taller.count_pages() <= pages:
            return taller
    return shortest


def _draw(sweeps: Sequence[Sweep], height: float) -> dict[str, bytes]:
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
