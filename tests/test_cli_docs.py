import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "tools"))


def test_commands_page_is_what_the_command_line_says():
    import make_commands_docs

    page = make_commands_docs.PAGE.read_text("utf-8")
    assert make_commands_docs.fill(page) == page, "run python tests/tools/make_commands_docs.py"
    assert "### runs save" in page
    made = page.partition(make_commands_docs.BEGIN)[2]
    assert "None" not in made  # every option has its words


def test_commands_page_names_the_fields_that_there_are():
    import make_commands_docs

    from lenetcli.output.records import RUN_FIELDS

    page = make_commands_docs.PAGE.read_text("utf-8")
    for field in RUN_FIELDS:
        assert f"`{field}`" in page, field
