import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(Path(__file__).parent / "tools"))


def test_storage_page_is_what_the_tables_say():
    import make_storage_docs

    page = make_storage_docs.PAGE.read_text("utf-8")
    assert make_storage_docs.fill(page) == page, "run python tests/tools/make_storage_docs.py"
    assert "### sweep_cells" in page


@pytest.mark.parametrize(
    "page", sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]), ids=lambda p: p.name
)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8"))
    for link in links:
        if "://" not in link:
            assert (page.parent / link).exists(), link


def test_design_page_names_every_room():
    text = (ROOT / "docs" / "design.md").read_text("utf-8")
    rooms = {path.stem for path in (ROOT / "lenetcli").glob("*") if path.suffix == ".py" or path.is_dir()}
    for room in rooms - {"__init__", "__main__", "__pycache__", "atlas"}:
        assert f"`{room}`" in text or f"`{room}/`" in text, room
