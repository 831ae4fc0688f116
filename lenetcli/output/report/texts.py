"""The text of a report as its pages have it, compared with the text that the store gives."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher

from lenetcli.analysis.statements import TRAINS
from lenetcli.output.report.document import Json, join_lines
from lenetcli.output.report.facts import Facts
from lenetcli.output.report.forms import SECTIONS, find_statements, read_cell
from lenetcli.output.report.interpretation import list_headers
from lenetcli.output.report.outline import COLUMNS, OTHERS

CONTEXT = 3
"""How many words are shown on either side of a difference."""


UNSEEN = dict.fromkeys(map(ord, "\N{SOFT HYPHEN}\N{ZERO WIDTH SPACE}"))
"""Characters that say where a word may be divided."""


def normalise(text: str) -> str:
    """A text without what a line break changes: blanks, and hyphens between letters; no ligatures."""
    plain = unicodedata.normalize("NFKC", text).translate(UNSEEN).replace("\N{HYPHEN}", "-")
    return re.sub(r"(?<=[^\W\d_])-(?=[^\W\d_])", "", "".join(plain.split()))


def compare_texts(stated: Sequence[str], computed: Sequence[str], headers: Sequence[str] = ()) -> list[str]:
    """A sentence for each place where the pages of a document have another text than those of another one.

    The ``headers`` of tables, as patterns, may be repeated elsewhere in the one than in the other, since
    pages end elsewhere.
    """
    if normalise("\n".join(stated)) == normalise("\n".join(computed)):
        return []
    mine, others = _split(stated, headers), _split(computed, headers)
    plain, twins = list(map(normalise, mine)), list(map(normalise, others))
    if "".join(plain) == "".join(twins):
        return []
    found = []
    matcher = SequenceMatcher(a=plain, b=twins, autojunk=False)
    for kind, low, high, first, last in matcher.get_opcodes():
        if kind == "equal" or "".join(plain[low:high]) == "".join(twins[first:last]):
            continue
        says = " ".join(mine[max(low - CONTEXT, 0) : high + CONTEXT])
        gives = " ".join(others[max(first - CONTEXT, 0) : last + CONTEXT])
        if kind == "insert":
            found.append(f"the text lacks '{' '.join(others[first:last])}' in '{gives}'")
        elif kind == "delete":
            found.append(f"the text has '{' '.join(mine[low:high])}', which does not follow: '{says}'")
        else:
            found.append(f"the text says '{says}', the store gives '{gives}'")
    return found or ["the text is not the one that the store gives"]


def _split(pages: Sequence[str], headers: Sequence[str]) -> list[str]:
    """The words of pages without repeated headers; those that a hyphen divides at a line's end are whole."""
    text = unicodedata.normalize("NFKC", " ".join(join_lines("\n".join(pages)).split()))
    for header in headers:
        pattern = rf"(?<!\S){header}(?!\S)"
        if first := re.search(pattern, text):
            text = text[: first.end()] + re.sub(pattern, "", text[first.end() :])
    return text.split()


def omit_letters(pages: Sequence[str], letters: Iterable[str]) -> list[str]:
    """Pages without some letters, nor the control characters that stand for what has no text in a PDF."""
    omitted = re.escape(unicodedata.normalize("NFKC", "".join(letters)))
    pattern = re.compile(f"[{omitted}\0-\x08\x0e-\x1f\ufffd]")
    return [pattern.sub("", unicodedata.normalize("NFKC", page)) for page in pages]


def find_headers(facts: Facts) -> list[str]:
    """The headers of the tables of a report, each as a pattern of its words."""
    sections = [section for section in (facts.learning_rates, facts.filters, facts.grid) if section]
    tables = [*(section.table for section in sections if section.table), facts.sweeps]
    headers = [*(table.header for table in tables), *list_headers(facts.options.interpretation or "")]
    runs = re.escape(" ".join(COLUMNS)) + "".join(f"(?: {re.escape(one)})?" for one, _ in OTHERS.values())
    return [*(re.escape(" ".join(" ".join(header).split())) for header in headers), runs]


def find_missing(text: str, facts: Json) -> list[str]:
    """A sentence for each text in the facts of a report that its pages do not show."""
    whole = normalise(text)
    pieces = dict.fromkeys(piece for piece in _find_pieces(facts) if piece)
    return [
        f"the pages do not say '{piece}', the facts do" for piece in pieces if normalise(piece) not in whole
    ]


def _find_pieces(facts: Json) -> Iterator[str]:
    """The texts of facts that a page shows, in the forms of all formats; the rows of tables as a whole."""
    options = facts["options"]
    yield from (options["title"], options["author"] or "", options["store"])
    concludes = options.get("conclusions", True)
    for name, description in facts["setup"]:
        yield f"{name} {description}"
    sections = [facts.get(name) or {} for name in SECTIONS]
    tables = [section if "rows" in section else section.get("table") or {} for section in sections]
    for table in (*tables, facts.get("sweeps") or {}):
        for row in (table.get("header", []), *table.get("rows", [])):
            yield " ".join(map(read_cell, row))
        yield table.get("caption", "")
    for section in sections:
        yield section.get("title", "")
        yield (section.get("figure") or {}).get("caption", "")
    yield from find_sentences(facts) if concludes else ()
    for run in facts["runs"]:
        yield " ".join(run.get("row", ()))


def find_sentences(facts: Json) -> Iterator[str]:
    """The statements of facts and their commands, in the forms of all formats."""
    for statement in find_statements(facts):
        yield statement["text"]
        yield f"{statement.get('purpose', TRAINS)} {statement['command']}" if statement["command"] else ""
