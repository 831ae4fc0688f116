"""The verification of a report: its facts, its text and its figures against those that the store gives."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from lenetcli.errors import NotFoundError, UsageError
from lenetcli.experiment.config import Request
from lenetcli.output.figures.fonts import find_font, find_fonts
from lenetcli.output.letters import name_scripts
from lenetcli.output.report.contents import Evidence, choose, gather
from lenetcli.output.report.document import FONT, MADE_BY, MARK, Document, Json
from lenetcli.output.report.facts import FORMAT, Facts, Shown
from lenetcli.output.report.fonts import DIGITS, PREFIX, are_fonts, find_foreign, order_fonts, read_fonts
from lenetcli.output.report.forms import FORMATS, compare_common, compare_facts, find_records
from lenetcli.output.report.report import Report
from lenetcli.output.report.snapshot import Snapshot
from lenetcli.output.report.texts import (
    compare_texts,
    find_headers,
    find_missing,
    find_sentences,
    normalise,
    omit_letters,
)
from lenetcli.words import join_words, plural

MALFORMED = (LookupError, TypeError, ValueError, AttributeError, OverflowError)
"""What facts that are none raise when they are read."""
VERSION = re.compile(r"\d+(\.\d+)*((a|b|rc|\.dev|\.post)\d+)*(\+[0-9a-z.]{1,20})?")
"""A version; any other text in its place could be a sentence that nobody computed."""
LATER = {"interpretation": None, "conclusions": True}
"""The options that reports have since their newest format, as they were before."""
GIVEN = "Title, author, interpretation, the name of the store and paths in commands are as given."
WHOLE = "The text of its pages is the one that the store gives, with nothing left out or added."

MOST_LISTED = 20
"""The most sentences of a report of another version that are listed, since nothing vouches for them."""


class Outcome(IntEnum):
    """What a verification found, the gravest last."""

    AGREES = 0
    FIGURES_UNCHECKED = 1
    TEXT_UNCHECKED = 2
    DIFFERS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The result of a verification.

    ``differences`` are sentences on what the store gives otherwise, ``checked`` on what was compared and
    agrees, ``unchecked`` on what could not be compared, ``notes`` on what else is to be known.
    ``facts`` are those that the store gives, None if it lacks what the report is of.
    """

    outcome: Outcome
    differences: tuple[str, ...] = ()
    checked: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    facts: Facts | None = None


@dataclass(frozen=True, slots=True)
class Stated:
    """What a document states of itself: its options, and the versions that made it.

    ``ids`` are those of its sweeps, or the first digits of these.
    """

    options: Mapping[str, Any]
    ids: Sequence[str]
    versions: Mapping[str, str]
    facts: Json | None = None

    @property
    def shown(self) -> list[Shown]:
        """Its sweeps and which rows of them, in the order of the report; older formats know no rows.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: if the facts have none in this place.
        """
        stated = self.facts["options"].get("shown") if self.facts else None
        if stated is None:
            return [(id, None) for id in self.ids]
        return [(str(id), parameter and str(parameter)) for id, parameter in stated]

    @property
    def requests(self) -> dict[str, Request | None]:
        """What was typed for its sweeps, by id; None in older formats, which do not have it.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: if the facts have no requests in this place.
        """
        typed = self.facts["options"].get("requests") if self.facts else None
        if typed is None:
            return dict.fromkeys(self.ids)
        return {id: Request.from_mapping(one) for id, one in zip(self.ids, typed, strict=True)}


def verify(evidence: Evidence, document: Document, name: str) -> Verification:
    """Verify a report, which is called ``name``: compute all of it again from the store, and compare.

    Raises:
        UsageError: if the document is no report, or one that this version cannot check.
        StoreError: if what a run of it has measured is damaged.
    """
    stated = read_stated(document, name)
    if stated.facts is None:
        return _verify_text_alone(evidence, document, stated)
    try:
        snapshot = Snapshot(evidence, stated.shown, find_records(stated.facts), stated.requests)
    except MALFORMED as error:
        raise _damaged_facts(name) from error
    try:
        facts = gather(snapshot, sweeps=snapshot.sweeps(), **stated.options)
    except NotFoundError as error:
        return Verification(outcome=Outcome.DIFFERS, differences=(error.problem,))
    notes = [note for note in (snapshot.describe_later(), _describe_annotations(document)) if note]
    computed = json.loads(facts.to_json())
    own_versions = computed.pop("versions")
    rest = {key: value for key, value in stated.facts.items() if key != "versions"}
    rest["options"] = LATER | rest["options"]
    differences = compare_facts(rest, computed)
    if not differences:
        verification = _verify_pages(document, replace(facts, versions=stated.versions), own_versions)
        agreed = "All numbers and sentences of its facts follow from the store."
        verification = replace(verification, checked=(agreed, *verification.checked))
    elif rest["format"] == FORMAT and stated.versions.get("lenetcli") == own_versions["lenetcli"]:
        verification = Verification(outcome=Outcome.DIFFERS, differences=tuple(differences))
    else:
        verification = _verify_older(document, stated, computed, name)
    return replace(verification, notes=(*notes, *verification.notes), facts=facts)


def read_stated(document: Document, name: str) -> Stated:
    """What a document states of itself; by its text, if its facts are not attached any more.

    Raises:
        UsageError: as ``verify`` does.
    """
    try:
        facts = document.facts
    except (ValueError, RecursionError) as error:
        raise _damaged_facts(name) from error
    if facts is None:
        return _read_text(document, name)
    if not isinstance(facts, dict) or not isinstance(facts.get("format"), int):
        raise _damaged_facts(name)
    if facts["format"] not in FORMATS:
        problem = f"{name} is of another lenetcli: its facts have the format {facts['format']}."
        raise UsageError(
            problem, f"This lenetcli knows those up to {FORMAT}: check it with the one that made it."
        )
    try:
        stated = facts["options"]
        options = {one: stated[one] for one in ("title", "author", "store")} | {
            "recipes": list(map(int, stated.get("recipes", ()))),  # 0.1.0 knew one and named none
            "interpretation": stated.get("interpretation"),
            "conclusions": stated.get("conclusions", True),
        }
        texts = (
            *(options["title"], options["author"] or "", options["store"]),
            options["interpretation"] or "",
        )
        if not all(isinstance(text, str) for text in texts) or not isinstance(options["conclusions"], bool):
            raise TypeError
        ids = [str(id) for id in stated["sweeps"]]
        versions = {str(key): str(value) for key, value in facts["versions"].items()}
    except MALFORMED as error:
        raise _damaged_facts(name) from error
    return Stated(options, ids, versions, facts)


def _read_text(document: Document, name: str) -> Stated:
    """What the text of a report states, and its metadata."""
    found, made_by = MARK.search(document.text), MADE_BY.search(document.text)
    if found is None or made_by is None:
        raise UsageError(
            f"{name} is not a report of lenetcli.", "Name a PDF that `lenetcli report` has written."
        )
    title, author = document.metadata
    options = {"title": title, "author": author or None, "store": found["store"]}
    versions = {one: made_by[one] for one in ("lenetcli", "matplotlib", "typst")}
    versions |= {PREFIX + font: digits for font, digits in FONT.findall(made_by["fonts"] or "")}
    return Stated(options, re.findall("[0-9a-f]{12}", found["sweeps"]), versions)


def _damaged_facts(name: str) -> UsageError:
    advice = "Ask for the file that lenetcli wrote, as it was."
    return UsageError(f"The facts that are attached to {name} are damaged.", advice)


def _describe_annotations(document: Document) -> str:
    count = document.annotations
    lie = "An annotation lies" if count == 1 else f"{count} annotations lie"
    return (
        f"{lie} upon its pages (notes, marks, signatures), which the store knows nothing of." if count else ""
    )


def _verify_pages(document: Document, facts: Facts, own_versions: Mapping[str, str]) -> Verification:
    """Compare the pages with those that the facts give, which agree; ``facts`` have the stated versions."""
    named = read_fonts(facts.versions)
    programs = {one: version for one, version in facts.versions.items() if not one.startswith(PREFIX)}
    is_known = programs.keys() == own_versions.keys() and all(map(VERSION.fullmatch, programs.values()))
    foreign = find_foreign(facts) if named else []
    if not is_known or (named and not (foreign and are_fonts(named))):
        return Verification(
            outcome=Outcome.DIFFERS, differences=(f"versions: the report says {dict(facts.versions)}",)
        )
    fonts = {name: find_font(name, sha256) for name, sha256 in named.items()}
    if absent := [name for name, font in fonts.items() if font is None]:
        return _verify_without_fonts(document, facts, foreign, absent)
    made = Document(Report(facts, order_fonts(font for font in fonts.values() if font)).pdf())
    if made.content == document.content:
        return Verification(outcome=Outcome.AGREES, checked=("Rendered again, it has the same bytes.", GIVEN))
    return _compare_pages(document, made, facts, own_versions)


def _verify_without_fonts(
    document: Document, facts: Facts, foreign: Sequence[str], absent: Sequence[str]
) -> Verification:
    """Compare the text of a document whose fonts are absent here; they set the ``foreign`` letters of it."""
    made = Document(Report(facts, order_fonts(find_fonts(foreign))).pdf())
    headers = find_headers(facts)
    fonts = [f"{name} (SHA-256 {read_fonts(facts.versions)[name][:DIGITS]}…)" for name in absent]
    lack = f"{join_words(fonts)} {'is' if len(fonts) == 1 else 'are'} not on this machine"
    if not compare_texts(document.pages, made.pages, headers):
        return Verification(
            outcome=Outcome.FIGURES_UNCHECKED,
            checked=(WHOLE, GIVEN),
            unchecked=(f"Figures and the look of the pages were not compared: {lack}.",),
        )
    # Another font can give other words to whoever reads the text of a PDF, or there is none here.
    stated, computed = (omit_letters(one.pages, foreign) for one in (document, made))
    if differences := compare_texts(stated, computed, headers):
        return Verification(outcome=Outcome.DIFFERS, differences=tuple(differences))
    letters = f"{plural(len(foreign), 'letter')} ({name_scripts(foreign)})"
    return Verification(
        outcome=Outcome.TEXT_UNCHECKED,
        checked=(f"But for {letters}, the text of its pages is the one that the store gives.", GIVEN),
        unchecked=(f"Figures and {letters} were not compared: {lack}.",),
    )


def _compare_pages(
    document: Document, made: Document, facts: Facts, own_versions: Mapping[str, str]
) -> Verification:
    """Compare text and figures of a document whose bytes are others than those of the one made here."""
    if differences := compare_texts(document.pages, made.pages, find_headers(facts)):
        return Verification(outcome=Outcome.DIFFERS, differences=tuple(differences))
    if document.looks_like(made):
        again = "Text and figures are drawn as the store gives them; another program saved the file again."
        return Verification(outcome=Outcome.AGREES, checked=(WHOLE, again, GIVEN))
    drawn = "The figures were not compared: "
    by = ", ".join(f"{name} {own_versions[name]}" for name in ("matplotlib", "typst"))
    reason = f"they are drawn otherwise than {by} does it here, by another version or another program."
    return Verification(
        outcome=Outcome.FIGURES_UNCHECKED, checked=(WHOLE, GIVEN), unchecked=(drawn + reason,)
    )


def _verify_older(document: Document, stated: Stated, computed: Json, name: str) -> Verification:
    """Compare the report of another version as far as it means the same."""
    assert stated.facts is not None
    try:
        differences = compare_common(stated.facts, computed)
        missing = [] if differences else find_missing(document.text, stated.facts)
    except MALFORMED as error:
        raise _damaged_facts(name) from error
    if differences or missing:
        return Verification(outcome=Outcome.DIFFERS, differences=(*differences, *missing))
    return Verification(
        outcome=Outcome.TEXT_UNCHECKED,
        checked=(
            "Set-up, tables but for times, and the numbers of all runs follow from the store.",
            "Its pages have the texts of its facts.",
            GIVEN,
        ),
        unchecked=(
            "Another version of lenetcli made it: its sentences and figures were not checked.",
            *_list_sentences(stated.facts, computed),
        ),
    )


def _list_sentences(stated: Json, computed: Json) -> list[str]:
    """What a report of another version says that this one does not say of the store."""
    known = {normalise(one) for one in find_sentences(computed)}
    others = [one for one in dict.fromkeys(find_sentences(stated)) if one and normalise(one) not in known]
    found = [f"This version does not say: '{one}'" for one in others[:MOST_LISTED]]
    more = len(others) - len(found)
    return [*found, *([f"There are {more:,} more sentences that it does not say."] if more else [])]


def _verify_text_alone(evidence: Evidence, document: Document, stated: Stated) -> Verification:
    """Compare the text of a report whose attachment was lost with what its sweeps give now."""
    lost = "Its facts are not attached any more: a program that saved it has dropped them."
    known = {sweep.id[:12]: sweep for sweep in evidence.sweeps()}
    absent = [id for id in stated.ids if id not in known]
    if absent:
        differences = (f"the store has no sweep {absent[0]}",)
        return Verification(outcome=Outcome.DIFFERS, differences=differences, notes=(lost,))
    # The text names sweeps, not which rows of them are meant: those that are chosen among them.
    recorded = [known[id] for id in dict.fromkeys(stated.ids)]
    alone = [sweep for sweep in recorded if len(sweep.parameters) == 1]
    sweeps = alone if len(alone) == len(recorded) else choose(evidence, alone, recorded).sweeps
    facts = gather(evidence, sweeps=sweeps, **stated.options)
    verification = _verify_pages(document, replace(facts, versions=stated.versions), facts.versions)
    notes = (lost, _describe_annotations(document))
    result = replace(verification, notes=tuple(filter(None, notes)), facts=facts)
    if result.outcome is Outcome.DIFFERS:
        return result
    now = "The numbers behind its text are those of the store now, not its own."
    return replace(result, outcome=Outcome.TEXT_UNCHECKED, unchecked=(*result.unchecked, now))
