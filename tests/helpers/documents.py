"""The pages of the documentation, and the programs that generate parts of them."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def load_tool(name):
    """A program of ``docs/tools`` as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
