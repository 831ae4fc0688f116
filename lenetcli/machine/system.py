"""Which machine and which process this is: processor, cores, memory, host, and who is still alive."""

from pathlib import Path

ROOT = Path("/")
MAX_TEXT = 255
"""No field of a process identity is longer, in characters."""


def host_name() -> str:
    """This machine's name in the network."""
    import platform

    return printable(platform.node()) or "localhost"


def printable(text: str) -> str:
    """The printable characters of a text, at most ``MAX_TEXT`` of them."""
    return "".join(character for character in text if character.isprintable())[:MAX_TEXT]


def read_text(path: Path) -> str:
    """The stripped text of a system file, or nothing where there is none."""
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""
