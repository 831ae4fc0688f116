"""The size and shape of the package: what a reader can hold in one's head (docs/design.md)."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from helpers.documents import ROOT

PACKAGE = ROOT / "lenetcli"
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path):
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_functions_and_classes_can_be_read_in_one_go(path):
    text = path.read_text("utf-8")
    assert text.count("\n") <= 350
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            most = 250 if isinstance(node, ast.ClassDef) else 60
            assert node.end_lineno - node.lineno + 1 <= most, node.name


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "__init__.py"], ids=name_of)
def test_packages_hold_a_docstring_only(path):
    """So that importing one module loads no sibling; the root shows the version, and no module imports it."""
    body = ast.parse(path.read_text("utf-8")).body
    assert isinstance(body[0], ast.Expr)
    assert len(body) == 1 or path.parent == PACKAGE


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_imports_a_name_from_the_root(path):
    packages = {entry.stem for entry in PACKAGE.iterdir()}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "lenetcli":
            assert {alias.name for alias in node.names} <= packages
        if isinstance(node, ast.Import):
            assert "lenetcli" not in {alias.name for alias in node.names}


def test_the_top_of_the_package_fits_on_a_screen():
    entries = {path.name for path in PACKAGE.iterdir()} - {"__init__.py", "__main__.py", "__pycache__"}
    assert len(entries) <= 14


def imported_names():
    """The top-level names that the package imports, without its own and those of the standard library."""
    names = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module)
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"lenetcli"}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    declared = project["dependencies"] + extras["terminal"] + extras["ray"]
    distributions = packages_distributions()
    assert {re.match(r"[\w-]+", requirement)[0] for requirement in declared} == {
        distributions.get(name, [name])[0].lower() for name in imported_names()
    }
