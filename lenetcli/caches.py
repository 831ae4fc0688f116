"""lenetcli's own cache: files that save time; nothing fails where they are missing, damaged or not kept."""

import contextlib
import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lenetcli.paths import cache_folder


def recall(name: str) -> dict[str, Any]:
    """The JSON object that was kept under a name, empty without one; what is in it may be anybody's."""
    try:
        held = json.loads((cache_folder() / name).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return held if isinstance(held, dict) else {}


def remember(name: str, values: Mapping[str, Any]) -> None:
    """Keep a JSON object for ``recall``."""
    keep(name, [json.dumps(values).encode()])


def keep(name: str, blocks: Iterable[bytes | memoryview]) -> None:
    """Write a file of the cache, whole or not at all."""
    file = cache_folder() / name
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=file.parent) as folder:
            fresh = Path(folder) / file.name
            with fresh.open("wb") as stream:
                stream.writelines(blocks)
            fresh.replace(file)
