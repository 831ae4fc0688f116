"""The host name, and texts from the files in which the system describes itself."""

from pathlib import Path

ROOT = Path("/")
"""The root of the file system."""

MAX_TEXT = 255
"""The longest text in a process identity, in characters."""


def host_name() -> str:
    """The network name of this machine; ``localhost`` if it has none."""
    import platform

    return printable(platform.node()) or "localhost"


def printable(text: str) -> str:
    """The printable characters of a text, at most ``MAX_TEXT`` of them."""
    return "".join(character for character in text if character.isprintable())[:MAX_TEXT]


def read_text(path: Path) -> str:
    """The text of a system file, stripped; empty if it cannot be read."""
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""
