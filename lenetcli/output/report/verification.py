"""The verification of a report: its facts and its bytes against those that the store gives."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import compress
from pathlib import Path
from typing import Any

from lenetcli.errors import NotFoundError, UsageError, describe_error
from lenetcli.output.report.contents import Evidence, gather
from lenetcli.output.report.facts import FORMAT
from lenetcli.output.report.report import ATTACHMENT, Report

Json = dict[str, Any]
"""A JSON object."""

ADVICE = "Name a PDF that `lenetcli report` has written."
OLDER_FORMAT = 2
"""The format of earlier reports, whose facts are compared as far as they mean the same."""


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of a verification: a sentence for each difference.

    ``rendered`` says whether the bytes of the document were compared too: if its facts do not differ and the
    same versions of the software made it. ``older`` says that the facts have the form of an older version:
    statements, tables, set-up and runs are compared.
    """

    differences: tuple[str, ...]
    rendered: bool
    older: bool


def verify(evidence: Evidence, path: Path) -> Verification:
    """Verify the PDF of a report: compute its facts again, and with the same versions the document itself.

    Raises:
        NotFoundError: if there is no such file.
        UsageError: if the file cannot be read, or is not a report of this format or the one before.
    """
    document = _read_document(path)
    stated = _extract_facts(document, path)
    older = stated["format"] == OLDER_FORMAT
    try:
        options = {name: stated["options"][name] for name in ("title", "author", "store")}
        ids = list(stated["options"]["sweeps"])
        recipes = list(map(int, stated["options"].get("recipes", ())))  # 0.1.0 knew one and named none
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _not_a_report(path) from error
    try:
        facts = gather(evidence, ids=ids, recipes=recipes, **options)
    except NotFoundError as error:
        return Verification((error.problem,), rendered=False, older=older)
    computed = json.loads(facts.to_json())
    # Another version of the software may draw otherwise, but states the same.
    same_versions = stated.pop("versions", None) == computed.pop("versions")
    if older:
        computed = _to_older(computed, stated)
        stated = _restrict(stated, computed)
        for older_facts in (stated, computed):
            older_facts["setup"] = _drop_labels(older_facts["setup"])
    differences = list(_compare("", stated, computed))
    rendered = same_versions and not older and not differences
    if rendered and Report(facts).pdf() != document:
        differences.append("the text or the figures of the document are not those that the store gives")
    return Verification(tuple(differences), rendered, older)


def _read_document(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise _not_a_report(path)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no file {path}.", ADVICE) from error
    except (OSError, ValueError) as error:  # ValueError: a null byte
        problem = f"{path} cannot be read: {describe_error(error)}."
        raise UsageError(problem, "Name a PDF that can be read.") from error


def _extract_facts(document: bytes, path: Path) -> Json:
    import logging

    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # the error below replaces its warnings
    try:
        attached = PdfReader(BytesIO(document)).attachments[ATTACHMENT]
        facts = json.loads(attached[0])
    except Exception as error:  # a damaged PDF can raise almost any exception
        raise _not_a_report(path) from error
    if not isinstance(facts, dict) or facts.get("format") not in (OLDER_FORMAT, FORMAT):
        raise _not_a_report(path)
    return facts


def _not_a_report(path: Path) -> UsageError:
    return UsageError(f"{path} is not a report that this lenetcli can check.", ADVICE)


def _to_older(facts: Json, stated: Json) -> Json:
    """What these facts have in common with those of ``OLDER_FORMAT`` that a report states, in that form."""
    older: Json = {"setup": facts["setup"], "runs": [run["record"] for run in facts["runs"]], "missing": {}}
    for name in ("learning_rates", "filters"):
        table = facts[name]["table"]
        older["missing"][name] = facts[name]["missing"]
        older[name] = table
        if table and stated.get(name):
            shared = [title in stated[name]["header"] for title in table["header"]]
            older[name] = {
                "header": list(compress(table["header"], shared)),
                "rows": [[cell["text"] for cell in compress(row, shared)] for row in table["rows"]],
            }
    return older


def _restrict(stated: Any, computed: Any) -> Any:
    """The part of a JSON value that has the names of another one."""
    if isinstance(stated, dict) and isinstance(computed, dict):
        return {name: _restrict(stated.get(name), value) for name, value in computed.items()}
    return stated


def _drop_labels(value: Any) -> Any:
    """A JSON value without the names of data sets in its texts; older reports took their labels for names."""
    if isinstance(value, list):
        return [_drop_labels(item) for item in value]
    return re.sub(r"[^;]+(?=\(SHA-256 )", "", value) if isinstance(value, str) else value


def _compare(location: str, stated: Any, computed: Any) -> Iterator[str]:
    """A sentence for each difference between two JSON values, with its location within the facts."""
    # Objects and lists of the same length are compared part by part, so that a difference names one number
    # instead of showing a whole table. Items of lists of different lengths cannot be matched; those are shown
    # whole. The types count as well: True == 1 == 1.0 in Python, but JSON writes them differently.
    if isinstance(stated, dict) and isinstance(computed, dict):
        prefix = f"{location}." if location else ""
        for name in sorted(stated.keys() | computed.keys()):
            yield from _compare(prefix + name, stated.get(name), computed.get(name))
    elif isinstance(stated, list) and isinstance(computed, list) and len(stated) == len(computed):
        for number, (left, right) in enumerate(zip(stated, computed, strict=True), 1):
            yield from _compare(f"{location}[{number}]", left, right)
    elif stated != computed or type(stated) is not type(computed):
        yield f"{location}: the report says {stated!r}, the store {computed!r}"
