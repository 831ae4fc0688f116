"""Typesetting: the Typst source of a report from its facts, with all text escaped."""

import re
from collections.abc import Sequence
from typing import Any

from lenetcli.words import join_words, plural, write_accuracy, write_seconds

Facts = dict[str, Any]
"""A JSON object."""

PREAMBLE = """\
#set page(paper: "a4", margin: (x: 20mm, top: 17mm, bottom: 17mm), numbering: "1", number-align: right)
#set text(font: "Libertinus Serif", size: 9.6pt, lang: "en", region: "gb")
#set par(justify: true, leading: 0.56em, spacing: 0.75em)
#set list(indent: 0pt, body-indent: 0.6em, spacing: 0.62em, marker: [–])
#set heading(numbering: "1")
#show heading: it => block(above: 1.15em, below: 0.65em, text(size: 11.5pt, it))
#show table: set par(justify: false)
#set table(stroke: none, inset: (x: 5pt, y: 2.6pt))
#set figure(gap: 0.7em)
#show figure: set block(above: 0.9em, below: 0.9em)
#show figure.caption: set text(size: 8.6pt)
#show figure.caption: set align(left)
#show figure.where(kind: table): set figure.caption(position: top)
#show raw: set text(size: 8.4pt)
#show raw: it => { show regex("[a-z-]*-[a-z-]+"): box; it }
"""

SPECIAL = re.compile(r"""[\\`*_$#<>@\[\]~"'=+/]|-(?=[-?\d])|\.(?=\.)""")
"""The characters that Typst would not show unchanged: markup, straight quotes, and hyphens and full stops
that it would turn into dashes, minus signs and ellipses."""


def escape(text: str) -> str:
    """Typst markup that shows exactly this text, with control characters and runs of blanks as one blank."""
    return SPECIAL.sub(lambda match: f"\\{match[0]}", _clean(text))


def quote(text: str) -> str:
    """A Typst string of this text, with control characters and runs of blanks as one blank."""
    return '"' + _clean(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _clean(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def typeset(facts: Facts, folder: str) -> str:
    """The Typst source of a report whose figures and facts are in ``folder``."""
    options = facts["options"]
    parts = [
        f"#set document(title: {quote(options['title'])}, author: {quote(options['author'] or '')}, "
        "date: none)",
        PREAMBLE,
        f'#pdf.attach("facts.json", read({quote(folder + "/facts.json")}, encoding: none), '
        'relationship: "data", mime-type: "application/json", description: "The facts of this report")',
        _title(options["title"], options["author"]),
        _setup(facts["setup"]),
        "= Learning rates",
        *_learning_rates(facts, folder),
        "= Filters, parameters and runtime",
        *_filters(facts, folder),
        "= Reproducibility",
        _reproducibility(facts),
        _appendix(facts["runs"]),
    ]
    return "\n\n".join(parts) + "\n"


def _title(title: str, author: str | None) -> str:
    byline = f"#v(-0.4em)\n#text(size: 10.5pt)[{escape(author)}]\n" if author else ""
    return f'#text(size: 17pt, weight: "bold")[{escape(title)}]\n\n{byline}#v(0.2em)'


def _setup(setup: Sequence[Sequence[str]]) -> str:
    """A grey box of two columns: headings and their texts."""
    cells = "\n".join(f"  [*{escape(name)}*], [{escape(text)}]," for name, text in setup)
    return (
        "#block(fill: luma(245), inset: 7pt, radius: 2pt, width: 100%)[#set text(size: 8.8pt)\n"
        "#grid(columns: (auto, 1fr), column-gutter: 9pt, row-gutter: 5pt,\n" + cells + "\n)]"
    )


def _learning_rates(facts: Facts, folder: str) -> list[str]:
    """The parts of the section on learning rates: figure, table and statements."""
    rates = facts["learning_rates"]
    missing = _list(facts["missing"]["learning_rates"])
    if rates is None:
        return [missing]
    axis_note = (
        " The axis is stretched towards 0 and 1 (log-odds), so that differences near 1 can be seen."
        if rates["axis"] == "logit"
        else ""
    )
    caption = (
        f"Validation accuracy after each epoch, a curve for each learning rate; {rates['dataset']}, "
        f"{rates['setting']}.{axis_note}{_notes(rates['notes'])}"
    )
    has_deviations = any("±" in cell for row in rates["rows"] for cell in row)
    table_note = "; mean ± standard deviation over the seeds" if has_deviations else ""
    return [
        _figure(f"{folder}/learning_rates.svg", caption),
        _table(
            rates["header"], rates["rows"], f"Accuracies by learning rate, {rates['dataset']}{table_note}."
        ),
        _list(rates["statements"]),
    ]


def _filters(facts: Facts, folder: str) -> list[str]:
    """The parts of the section on filters: the law of the parameters, figure, table and statements."""
    filters = facts["filters"]
    missing = facts["missing"]["filters"]
    if filters is None:
        return [_list(missing)]
    duration = "an epoch" if filters["epochs"] == 1 else plural(filters["epochs"], "epoch")
    setting = ", ".join(word for word in (filters["dataset"], filters["setting"]) if word)
    seeds = f" of {filters['seeds']} seeds" if filters["seeds"] > 1 else ""
    law_note = (
        " Lines: overhead plus time in proportion to the arithmetic, fitted." if filters["fitted"] else ""
    )
    caption = (
        f"Parameters against the training time of {duration} (median epoch{seeds}; bars: quartiles of the "
        f"epochs), a point for each number of filters; {setting}.{law_note}{_notes(filters['notes'])}"
    )
    doubt_note = (
        "; * in doubt, hollow in the figure: the sweep with --remeasure measures again"
        if any("*" in cell for row in filters["rows"] for cell in row)
        else ""
    )
    table_caption = f"Training time of {duration} in seconds, with the quartiles of the epochs{doubt_note}."
    return [
        *(escape(statement["text"]) for statement in filters["parameters"]),
        _figure(f"{folder}/runtime.svg", caption),
        _table(filters["header"], filters["rows"], table_caption),
        _list([*filters["statements"], *missing]),
    ]


def _notes(notes: Sequence[str]) -> str:
    """Notes as sentences of a caption, each after a blank."""
    return "".join(f" {note[:1].upper()}{note[1:]}." for note in notes)


def _figure(path: str, caption: str) -> str:
    image = f"image({quote(path)}, width: 100%, alt: {quote(caption)})"
    return f"#figure({image}, caption: [{escape(caption)}])"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    align = ", ".join(["right"] * len(header))
    head = ", ".join(f"[{escape(name)}]" for name in header)
    body = ",\n  ".join(", ".join(f"[{escape(cell)}]" for cell in row) for row in rows)
    return (
        f"#figure(text(size: 8.8pt, table(columns: {len(header)}, align: ({align}),\n"
        f"  table.hline(stroke: 0.7pt), table.header({head}), table.hline(stroke: 0.4pt),\n"
        f"  {body},\n  table.hline(stroke: 0.7pt))), caption: [{escape(caption)}])"
    )


def _list(statements: Sequence[Facts]) -> str:
    return "\n".join(f"- {escape(s['text'])}{_advice(s['command'])}" for s in statements)


def _advice(command: str) -> str:
    return f" This trains it: {_code(command)}" if command else ""


def _code(command: str) -> str:
    return f"#raw({quote(command)})"


def _reproducibility(facts: Facts) -> str:
    options, versions = facts["options"], facts["versions"]
    ids = [facts["learning_rates"]["sweep"]] if facts["learning_rates"] else []
    ids += facts["filters"]["sweeps"] if facts["filters"] else []
    software = join_words([f"{name} {version}" for name, version in versions.items()])
    short_ids = join_words([sweep_id[:12] for sweep_id in ids])
    text = (
        f"All numbers come from the store {options['store']}, "
        f"{'sweep' if len(ids) == 1 else 'sweeps'} {short_ids}, and from the runs below; a run’s id is the "
        f"hash of its configuration. Made by {software}. The facts are attached to the PDF;"
    )
    instruction = "with this file’s name computes all of them again from the store and says which differ."
    return f"{escape(text)} {_code('lenetcli report --verify')} {escape(instruction)}"


def _appendix(runs: Sequence[Facts]) -> str:
    """The runs in small type, in up to three tables side by side.

    Their ids are cut to eight digits, or as many more as tell them apart.
    """
    digits = 8
    ids = {run["id"] for run in runs}
    while len({id[:digits] for id in ids}) < len(ids):
        digits += 1
    rows = [_appendix_row(run, digits) for run in runs]
    # A table for every six runs, up to as many as fit beside each other; -(-a // b) rounds up.
    columns = min(3 if digits == 8 else 2, -(-len(rows) // 6))
    height = -(-len(rows) // columns)
    tables = [_appendix_table(rows[start : start + height]) for start in range(0, len(rows), height)]
    return (
        "#block(breakable: true)[#set text(size: 6.3pt)\n#show raw: set text(size: 5.6pt)\n"
        "Runs: learning rate, filters (F), seed, device, epochs (ep.), accuracy on the validation images "
        "after the last epoch, training time (median epoch times the epochs) in seconds.\n\n"
        f"#grid(columns: {len(tables)}, column-gutter: 1fr,\n" + ",\n".join(tables) + ")]"
    )


def _appendix_row(run: Facts, digits: int) -> list[str]:
    stored, requested = run["epochs"], run["asked_epochs"]
    return [
        run["id"][:digits],
        f"{run['lr']:g}",
        str(run["filters"]),
        str(run["seed"]),
        run["device"],
        str(requested) if stored >= requested else f"{stored} of {requested}",
        "diverged" if run["state"] == "diverged" else write_accuracy(run["val_accuracy"]),
        write_seconds(run["typical_runtime"]),
    ]


def _appendix_table(rows: Sequence[Sequence[str]]) -> str:
    header = ["run", "rate", "F", "seed", "on", "ep.", "accuracy", "time"]
    head = ", ".join(f"[{name}]" for name in header)
    body = ",\n  ".join(
        ", ".join([f"raw({quote(row[0])})", *(f"[{escape(cell)}]" for cell in row[1:])]) for row in rows
    )
    return (
        f"table(columns: {len(header)}, inset: (x: 1.8pt, y: 1.6pt), align: (column, row) => horizon + "
        "(if column in (0, 4) { left } else { right }),\n"
        f"  table.header({head}), table.hline(stroke: 0.4pt),\n  {body})"
    )
