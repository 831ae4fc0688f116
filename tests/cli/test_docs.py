"""docs/commands.md, beside the command line."""

from helpers.documents import load_tool

from lenetcli.output.records import RUN_FIELDS


def test_commands_page_is_what_the_command_line_says():
    tool = load_tool("make_commands_docs")
    page = tool.PAGE.read_text("utf-8")
    assert tool.fill(page) == page, "run python docs/tools/make_commands_docs.py"
    assert "### runs save" in page
    generated = page.partition(tool.BEGIN)[2]
    assert "None" not in generated  # every option has its words


def test_commands_page_names_the_fields_that_there_are():
    page = load_tool("make_commands_docs").PAGE.read_text("utf-8")
    for field in RUN_FIELDS:
        assert f"`{field}`" in page, field
