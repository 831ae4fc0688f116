"""The pages of the documentation, beside the code."""

import re

import pytest
from helpers.documents import ROOT, load_tool

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def test_storage_page_is_what_the_tables_say():
    tool = load_tool("make_storage_docs")
    page = tool.PAGE.read_text("utf-8")
    assert tool.fill(page) == page, "run python docs/tools/make_storage_docs.py"
    assert "### sweep_cells" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8"))
    for link in links:
        if "://" not in link:
            assert (page.parent / link).exists(), link


def test_design_page_names_every_room():
    text = (ROOT / "docs" / "design.md").read_text("utf-8")
    top = (path for path in (ROOT / "lenetcli").iterdir() if path.suffix == ".py" or path.is_dir())
    rooms = {path.name.removesuffix(".py") for path in top if path.name.strip("_") == path.name}
    for room in rooms - {"__pycache__"}:
        assert f"`{room}`" in text or f"`{room}/`" in text or f"`{room}.py`" in text, room


FILE = re.compile(r"`((?:[a-z_]+/)+[a-z_]+\.(?:py|md|npz|toml))`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_are_there(page):
    for name in FILE.findall(page.read_text("utf-8")):
        assert (ROOT / name).exists() or (ROOT / "lenetcli" / name).exists(), name


def decisions():
    """The names and the file of each sentence "`name` in `file`" of the table of decisions."""
    text = (ROOT / "docs" / "design.md").read_text("utf-8")
    rows = text.split("## Where it is decided")[1].split("\n## ")[0]
    pattern = r"((?:`[\w.]+`(?:, | and )?)+) in `([\w/]+\.py)`"
    return [(re.findall(r"`([\w.]+)`", names), file) for names, file in re.findall(pattern, rows)]


def test_what_design_names_is_defined_there():
    assert len(decisions()) > 25
    for names, file in decisions():
        source = (ROOT / "lenetcli" / file).read_text("utf-8")
        for name in names:
            for part in name.split("."):
                definition = rf"^\s*(?:def|class) {part}\b|^{part}(?:: [^=]+)? = "
                assert re.search(definition, source, re.MULTILINE), (name, file)
