"""A sweep over several parameters through the command line: JSON, the report and its verification."""

import pytest
from helpers.command import Desk
from helpers.small_data import write_idx
from pypdf import PdfReader

SETTING = ("--epochs", "2", "--data", "digits", "--device", "cpu", "--filters", "2", "--hidden-units", "8")


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with two grids over learning rates and batch sizes."""
    desk = Desk(tmp_path_factory.mktemp("grids"))
    write_idx(desk.folder / "digits", 120, 20)
    for sizes in (("32", "64"), ("16", "64")):
        desk.run("sweep", "lr", "0.1", "0.01", "batch-size", *sizes, "--seeds", "2", *SETTING)
    return desk


def test_json_has_the_axes_in_order_and_the_point_of_each_cell(desk):
    listed = desk.json("sweeps", "list")[0]
    shown = desk.json("sweeps", "show", listed["id"])
    axes = [("lr", [0.1, 0.01]), ("batch_size", [16, 64]), ("seed", [0, 1])]
    for sweep in (listed, shown):
        assert [(axis["parameter"], axis["values"]) for axis in sweep["axes"]] == axes
        assert (sweep["parameter"], sweep["values"], sweep["seeds"]) == ("lr", [0.1, 0.01], [0, 1])
        assert sweep["cells"][2]["point"] == {"lr": 0.1, "batch_size": 64}
        assert (sweep["cells"][2]["value"], sweep["cells"][2]["seed"]) == (0.1, 0)


def test_a_report_has_the_newest_grid_or_the_one_named_and_is_verified(desk):
    newest, older = (sweep["id"] for sweep in desk.json("sweeps", "list"))
    written = desk.run("report", "-o", "new.pdf")
    assert f"The sweep over lr is a row of the grid {newest[:8]}, with batch-size 64." in written.stderr
    desk.run("report", "-o", "old.pdf", "--sweep", older[:8])
    for name, size in (("new.pdf", "batch 16"), ("old.pdf", "batch 32")):
        text = " ".join(page.extract_text() for page in PdfReader(desk.folder / name).pages)
        assert "Combinations of learning rate and batch size" in text
        assert size in text
        assert "same bytes" in desk.run("report", "--verify", name).stdout


def test_two_grids_are_refused_with_the_command_that_lists_them(desk):
    ids = [word for sweep in desk.json("sweeps", "list") for word in ("--sweep", sweep["id"])]
    refused = desk.run("report", *ids, code=2).stderr
    assert "one over several parameters" in refused
    assert "lenetcli sweeps list" in refused
