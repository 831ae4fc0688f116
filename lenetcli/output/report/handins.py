"""Reports that were handed in together: files, the store of each, what they say, which are copies."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lenetcli.errors import LenetError, NotFoundError, StoreError, UsageError, describe_error
from lenetcli.output.report.contents import Evidence
from lenetcli.output.report.document import Json, read_document
from lenetcli.output.report.forms import EXERCISE, find_records, find_statements
from lenetcli.output.report.verification import (
    MALFORMED,
    Outcome,
    Stated,
    Verification,
    read_stated,
    verify,
)

HAND_IN_FIELDS = (
    *("file", "author", "complete", "best_rate", "val_accuracy", "hours", "hosts", "verified", "store"),
    *("missing", "differences", "unchecked", "notes", "error", "shares_times_with"),
)
"""The fields of a report in JSON and the columns in CSV, in this order."""
VERDICTS = {
    Outcome.AGREES: "yes",
    Outcome.FIGURES_UNCHECKED: "figures not checked",
    Outcome.TEXT_UNCHECKED: "text not checked",
    Outcome.DIFFERS: "differs",
}
BEST = ("best", "winner", "highest", "only")
"""The topics of the statement that names the learning rate that works best."""

Time = tuple[str, int, float]
"""A measured time: the start of the attempt, the epoch, and the training time to the last bit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandIn:
    """A PDF with the store that it was checked against, and what came of it: a verification or an error.

    ``facts`` are those that the store gives, or those of the report where it gives none.
    """

    file: Path
    store: str | None = None
    stated: Stated | None = None
    facts: Json | None = None
    verification: Verification | None = None
    error: LenetError | None = None

    @property
    def verdict(self) -> str:
        """The outcome in a word or two."""
        if self.verification:
            return VERDICTS[self.verification.outcome]
        if isinstance(self.error, StoreError):
            return "store not readable"
        return "no store" if self.stated and isinstance(self.error, NotFoundError) else "not readable"

    @property
    def times(self) -> set[Time]:
        """The measured times behind the report: of the store, and those that the report states."""
        stated = self.stated.facts if self.stated else None
        return {time for facts in (self.facts, stated) if facts for time in _find_times(facts)}


def find_files(paths: Sequence[Path]) -> list[Path]:
    """The files named, and the PDFs in the folders named and one level below them, sorted.

    Raises:
        NotFoundError: if there is no PDF in a folder.
        UsageError: if a folder cannot be read.
    """
    files: dict[Path, None] = {}
    for path in paths:
        if not _is_folder(path):
            files[path] = None
            continue
        try:
            found = [file for pattern in ("*", "*/*") for file in path.glob(pattern)]
            pdfs = sorted(file for file in found if file.suffix.lower() == ".pdf" and file.is_file())
        except OSError as error:
            problem = f"The folder {path} cannot be read: {describe_error(error)}."
            raise UsageError(problem, "Name a folder that can be read.") from error
        if not pdfs:
            raise NotFoundError(
                f"There is no PDF in {path}, nor one level below.", "Name another folder, or a file."
            )
        files |= dict.fromkeys(pdfs)
    return list(files)


def check(
    file: Path, open_store: Callable[[str], Evidence], *, named: str | None, default: str | None
) -> HandIn:
    """Verify a PDF against the store ``named``, else the one beside it, else ``default``.

    An error of the file or of its store is part of the result.
    """
    stated = store = None
    try:
        document = read_document(file)
        stated = read_stated(document, str(file))
        store = named or find_store(file, stated) or default
        if store is None:
            advice = "Put the store beside it, or name it with --store."
            raise NotFoundError(f"There is no store beside {file}, or more than one.", advice)
        verification = verify(open_store(store), document, str(file))
    except LenetError as error:
        return HandIn(
            file=file, store=store, stated=stated, facts=stated.facts if stated else None, error=error
        )
    facts = json.loads(verification.facts.to_json()) if verification.facts else stated.facts
    return HandIn(file=file, store=store, stated=stated, facts=facts, verification=verification)


def find_store(file: Path, stated: Stated) -> str | None:
    """The store beside a report: the one of its name, else the one that it names, else the only one."""
    name = Path(stated.options["store"]).name
    for candidate in (file.with_suffix(".db"), file.with_name(name) if name else None):
        if candidate is not None and candidate != file and _is_file(candidate):
            return str(candidate)
    beside = sorted(one for one in file.parent.glob("*.db") if _is_file(one))
    return str(beside[0]) if len(beside) == 1 else None


def find_shared(reports: Sequence[HandIn]) -> dict[tuple[Path, ...], int]:
    """The groups of reports that rest on the same measurements, each with the number of its common times.

    The bits of two honest runs are the same; their times, to the last digit, never are.
    """
    owners: dict[Time, list[Path]] = defaultdict(list)
    for report in reports:
        for time in report.times:
            owners[time].append(report.file)
    groups: dict[tuple[Path, ...], int] = defaultdict(int)
    for files in owners.values():
        if len(files) > 1:
            groups[tuple(files)] += 1
    return dict(groups)


def hand_in_fields(report: HandIn, shared: Mapping[tuple[Path, ...], int]) -> dict[str, Any]:
    """The flat JSON object of a report, with the fields ``HAND_IN_FIELDS``; None where nothing is known."""
    facts, verification = report.facts, report.verification
    try:
        summary = _summarise(facts) if facts else {}
    except MALFORMED:
        summary = {}
    others = {str(file) for files in shared if report.file in files for file in files if file != report.file}
    values = summary | {
        "file": str(report.file),
        "author": report.stated.options["author"] if report.stated else None,
        "verified": report.verdict,
        "store": report.store,
        "differences": list(verification.differences) if verification else [],
        "unchecked": list(verification.unchecked) if verification else [],
        "notes": list(verification.notes) if verification else [],
        "error": report.error.problem if report.error else None,
        "shares_times_with": sorted(others),
    }
    return {name: values.get(name) for name in HAND_IN_FIELDS}


def _summarise(facts: Json) -> dict[str, Any]:
    """What facts say in short: whether the exercise is complete, the best rate, the hours and the hosts."""
    records = {record["id"]: record for record in find_records(facts)}
    statements = list(find_statements(facts, EXERCISE))
    best = next((one for one in statements if one["topic"] in BEST), None)
    winner = records[best["runs"][0]] if best and best["runs"] else None
    seconds = [record["runtime_seconds"] for record in records.values()]
    hosts = {attempt["host"] for record in records.values() for attempt in record.get("attempts", ())}
    missing = [one["text"] for one in statements if one["topic"] == "missing"]
    return {
        "complete": not missing,
        "missing": missing,
        "best_rate": winner["lr"] if winner else None,
        "val_accuracy": winner["val_accuracy"] if winner else None,
        "hours": sum(one for one in seconds if one) / 3600,
        "hosts": sorted(hosts),
    }


def _find_times(facts: Json) -> Iterator[Time]:
    """The measured times in facts of the newest format; nothing else has them."""
    try:
        for record in find_records(facts):
            for attempt in record.get("attempts", ()):
                for epoch, seconds, _ in attempt["timings"]:
                    yield str(attempt["started_at"]), int(epoch), float(seconds)
    except MALFORMED:
        return


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # reading it says what is wrong
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
