"""Where stores, data and caches live."""

import os
from pathlib import Path

from platformdirs import user_cache_path

STORE_VARIABLE = "LENETCLI_STORE"
DATA_VARIABLE = "LENETCLI_DATA"
CACHE_VARIABLE = "LENETCLI_CACHE"

DEFAULT_STORE = "lenetcli.db"


def cache_folder() -> Path:
    """The folder of lenetcli's own cache (``LENETCLI_CACHE``, else the platform's); it may not exist yet."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return expand(chosen) if chosen else user_cache_path("lenetcli", appauthor=False)


def keras_container() -> Path:
    """Where Keras keeps its copy of MNIST (``KERAS_HOME`` is honoured); it may not exist."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "datasets" / "mnist.npz"


def expand(text: str) -> Path:
    """A path as typed, with ``~`` for somebody's home; where there is no such home, as it stands."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)
