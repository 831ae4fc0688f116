"""The report of the exercise: a typeset PDF, its editable source, and the check of one against the store."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from lenetcli.errors import NotFoundError, UsageError
from lenetcli.output.report.facts import Evidence, Facts, choose_sweeps
from lenetcli.output.report.report import ATTACHMENT, FORMAT, collect_facts, render_report, write_facts


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
    facts = collect_facts(evidence, chosen, told)
    found = json.loads(write_facts(facts))
    same = stated.get("versions") == found.pop("versions")
    stated.pop("versions", None)
    differences = list(_compare("", stated, found))
    if same and not differences and render_report(chosen, facts).pdf() != document:
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
