"""The interpretation that the author of a report has written: a Markdown file, and the blocks it has."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenetcli.errors import UsageError, describe_error

Json = dict[str, Any]
"""A JSON object."""

if TYPE_CHECKING:
    from markdown_it.tree import SyntaxTreeNode

LONGEST = 100_000
"""The most bytes of an interpretation: about thirty pages."""
MARKS = {"em": "emph", "strong": "strong"}
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters without a place on paper: controls, and those that turn the direction of what follows."""


def read_interpretation(path: Path) -> str:
    """The text of a Markdown file.

    Raises:
        UsageError: if there is none, or it cannot be read, is not UTF-8, is empty or too long.
    """
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is not a file.", "Name a Markdown file.")
        with path.open("rb") as stream:
            content = stream.read(LONGEST + 1)
    except FileNotFoundError as error:
        problem = f"There is no file {path}."
        raise UsageError(problem, "Name the Markdown file with your interpretation.") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte
        problem = f"{path} cannot be read: {describe_error(error)}."
        raise UsageError(problem, "Name a Markdown file that can be read.") from error
    if len(content) > LONGEST:
        advice = "An interpretation is text; name the Markdown file, or shorten it."
        raise UsageError(f"{path} has more than {LONGEST:,} bytes.", advice)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8.", "Save it as Markdown in UTF-8.") from error
    if "\0" in text:
        raise UsageError(f"{path} is not text.", "Name a Markdown file.")
    text = "\n".join(HIDDEN.sub(" ", line).rstrip() for line in text.splitlines()).strip("\n")
    if not text.strip():
        raise UsageError(f"{path} is empty.", "Write your interpretation into it, or leave the option out.")
    return text


def parse_markdown(text: str) -> list[Json]:
    """The blocks of a Markdown text: of each its kind, with texts that are no markup any more.

    HTML stays text, an image is its description, a link has its address beside it.
    """
    from markdown_it import MarkdownIt
    from markdown_it.tree import SyntaxTreeNode

    tokens = MarkdownIt("commonmark", {"html": False}).enable("table").parse(HIDDEN.sub(" ", text))
    return list(_blocks(SyntaxTreeNode(tokens)))


def list_headers(text: str) -> list[list[str]]:
    """The headers of the tables in a Markdown text, each with the texts of its cells."""
    blocks, headers = parse_markdown(text), []
    while blocks:
        block = blocks.pop(0)
        if block["kind"] == "table":
            headers.append(list(map(_read, block["rows"][0])))
        inner = [block.get("blocks", []), *block.get("items", [])]
        blocks = [*(child for children in inner for child in children), *blocks]
    return headers


def _blocks(node: "SyntaxTreeNode") -> Iterator[Json]:
    """The blocks below a node."""
    for child in node.children:
        match child.type:
            case "paragraph":
                yield {"kind": "paragraph", "parts": _parts(child)}
            case "heading":
                yield {"kind": "heading", "level": int(child.tag[1:]), "parts": _parts(child)}
            case "bullet_list" | "ordered_list":
                items = [list(_blocks(item)) for item in child.children]
                start = child.attrs.get("start", 1) if child.type == "ordered_list" else None
                yield {"kind": "list", "start": start, "items": items}
            case "blockquote":
                yield {"kind": "quote", "blocks": list(_blocks(child))}
            case "fence" | "code_block":
                yield {"kind": "code", "text": child.content.rstrip("\n")}
            case "table":
                rows = [row for group in child.children for row in group.children]
                yield {"kind": "table", "rows": [[_parts(cell) for cell in row.children] for row in rows]}
            case "hr":
                yield {"kind": "rule"}


def _parts(block: "SyntaxTreeNode") -> list[Json]:
    """The parts of the text of a block."""
    return [part for inline in block.children for part in _inline(inline)]


def _inline(node: "SyntaxTreeNode") -> Iterator[Json]:
    """The parts below a node of text."""
    for child in node.children:
        match child.type:
            case "text":
                yield {"kind": "text", "text": child.content}
            case "code_inline":
                yield {"kind": "code", "text": child.content}
            case "em" | "strong":
                yield {"kind": MARKS[child.type], "parts": list(_inline(child))}
            case "link":
                parts, address = list(_inline(child)), str(child.attrs["href"])
                yield from parts
                if _read(parts) not in (address, address.removeprefix("mailto:")):
                    yield {"kind": "text", "text": " ("}
                    yield {"kind": "code", "text": address}
                    yield {"kind": "text", "text": ")"}
            case "softbreak":
                yield {"kind": "text", "text": " "}
            case "hardbreak":
                yield {"kind": "break"}
            case "image":
                yield {"kind": "text", "text": f"[{child.content}]"}


def _read(parts: list[Json]) -> str:
    """The text of parts."""
    return "".join(part.get("text") or _read(part.get("parts", [])) for part in parts)
