"""The PDF of a report as it was handed in: its facts, its text, and what its pages draw."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenetcli.errors import NotFoundError, UsageError, describe_error
from lenetcli.output.report.report import ATTACHMENT

if TYPE_CHECKING:
    from pypdf import PdfReader

Json = dict[str, Any]
"""A JSON object."""

ADVICE = "Name a PDF that `lenetcli report` has written."
TAIL = 1024
"""A PDF ends with ``%%EOF`` within so many bytes."""
MARK = re.compile(
    r"All numbers come from the store (?P<store>.+?), sweeps? (?P<sweeps>[0-9a-f, and]+?), and from"
)
"""The sentence by which the text of a report is known, without its attachment too."""
MADE_BY = re.compile(
    r"Made by lenetcli (?P<lenetcli>\S+), matplotlib (?P<matplotlib>\S+) and typst (?P<typst>\S+?)\. "
    r"(Letters that their fonts lack are set in (?P<fonts>[^()]+ \(SHA-256 .+?…\))\. )?"
)
"""The sentences on the versions that made a report, and on fonts."""
FONT = re.compile(r"(?:^|, | and )([^()]+?) \(SHA-256 ([0-9a-f]+)…\)")
"""A font in them, with the first digits of its hash."""


@dataclass(frozen=True)
class Document:
    """A PDF, whose content is bytes that a reader of PDFs accepts."""

    content: bytes

    @cached_property
    def _reader(self) -> "PdfReader":
        return _open(self.content)

    @cached_property
    def facts(self) -> object:
        """The attached facts as JSON; None if nothing is attached under their name.

        Raises:
            ValueError: if what is attached is no JSON.
        """
        attached = self._reader.attachments.get(ATTACHMENT)
        return json.loads(attached[0]) if attached else None

    @cached_property
    def pages(self) -> tuple[str, ...]:
        """The text of each page, line by line, without the number of the page."""
        texts = (page.extract_text() for page in self._reader.pages)
        return tuple(re.sub(rf"\s*\n\s*{number}\s*$", "", text) for number, text in enumerate(texts, 1))

    @property
    def text(self) -> str:
        """The text of all pages on one line, without the hyphens at the ends of lines."""
        return " ".join(join_lines("\n".join(self.pages)).split())

    @property
    def metadata(self) -> tuple[str, str]:
        """The title and the author of the document; empty where it has none."""
        found = self._reader.metadata
        return (found.title or "", found.author or "") if found else ("", "")

    @property
    def annotations(self) -> int:
        """How many annotations lie upon the pages: notes, marks, signatures, text put over the text."""
        return sum(len(page.get("/Annots") or ()) for page in self._reader.pages)

    def looks_like(self, other: "Document") -> bool:
        """Whether the pages of both draw the same; annotations are not compared."""
        mine, others = self._reader.pages, other._reader.pages
        return len(mine) == len(others) and all(
            list(_flatten_page(page)) == list(_flatten_page(twin))
            for page, twin in zip(mine, others, strict=True)
        )


def join_lines(text: str) -> str:
    """A text in which the words are whole that a hyphen divides at the end of a line."""
    return re.sub(r"(?<=[^\W\d_])[-\N{HYPHEN}]\s*\n\s*(?=[^\W\d_])", "", text)


def read_document(path: Path) -> Document:
    """The PDF at a path.

    Raises:
        NotFoundError: if there is no such file.
        UsageError: if it cannot be read, is no PDF, or is damaged, cut off or protected.
    """
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is not a file.", "Name a PDF, or a folder of them.")
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError(
            f"There is no file {path}.", "Name a PDF that `lenetcli report` has written."
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a null byte
        problem = f"{path} cannot be read: {describe_error(error)}."
        raise UsageError(problem, "Name a PDF that can be read.") from error
    again = "Ask for the file once more, and compare its size with that of the original."
    if b"%PDF-" not in content[:TAIL]:
        raise UsageError(f"{path} is not a PDF.", "Name the PDF of a report.")
    if b"%%EOF" not in content[-TAIL:]:
        raise UsageError(f"{path} is cut off: a PDF has an end, and this one has none.", again)
    document = Document(content)
    try:
        if not document._reader.pages:
            raise ValueError("it has no page")
        _ = document.pages, document.annotations
    except _ProtectedError as error:
        advice = "Ask for a copy that was saved without a password."
        raise UsageError(
            f"{path} is protected with a password, so nothing in it can be read.", advice
        ) from error
    except Exception as error:  # a damaged PDF can raise almost any exception
        raise UsageError(f"{path} is damaged: its pages cannot be read.", again) from error
    return document


class _ProtectedError(Exception):
    """A PDF opens with a password only."""


def _open(content: bytes) -> "PdfReader":
    """A reader of a PDF; what is protected against changes alone opens without a password."""
    import logging

    from pypdf import PdfReader
    from pypdf.errors import DependencyError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # the errors of this module replace its warnings
    reader = PdfReader(BytesIO(content))
    if reader.is_encrypted:
        try:
            opened = reader.decrypt("")
        except DependencyError as error:  # a cipher that needs another library
            raise _ProtectedError from error
        if not opened:
            raise _ProtectedError
    return reader


def _flatten_page(page: Any) -> Iterator[object]:
    """What decides how a page looks, as a sequence that is the same however the PDF is written."""
    contents = page.get_contents()
    for operands, operator in contents.operations if contents is not None else ():
        yield operator
        yield from _flatten(operands, frozenset())
    yield [round(float(number), 3) for number in (*page.mediabox, *page.cropbox)]
    yield page.rotation, page.user_unit
    yield from _flatten(page.get("/Resources"), frozenset())


def _flatten(value: Any, above: frozenset[int]) -> Iterator[object]:
    """The parts of an object of a PDF in their order; ``above`` are the references that lead to it."""
    from pypdf.generic import FloatObject, IndirectObject, NumberObject, StreamObject

    if isinstance(value, IndirectObject):
        if value.idnum in above:
            return
        above |= {value.idnum}
        value = value.get_object()
    if isinstance(value, StreamObject):
        yield value.get_data()
    if isinstance(value, dict):
        for name in sorted(value):
            if name not in ("/Length", "/Filter", "/DecodeParms", "/Parent", "/ProcSet"):
                yield str(name)
                yield from _flatten(value.raw_get(name) if hasattr(value, "raw_get") else value[name], above)
    elif isinstance(value, list | tuple):
        yield len(value)
        for item in list.__iter__(value) if isinstance(value, list) else value:
            yield from _flatten(item, above)
    elif isinstance(value, FloatObject | NumberObject | int | float):
        yield round(float(value), 3)
    else:
        yield value if isinstance(value, bytes) else str(value)
