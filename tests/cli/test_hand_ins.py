"""Thirty reports with thirty stores, five of them tampered with in five ways, told apart by one command."""

import csv
import io
import json
import shutil
import sqlite3

import pytest
from helpers.command import Desk
from helpers.fake_training import FakeTrainer, carry_out
from helpers.made_up import BASE
from helpers.pdfs import attach, forge_text
from pypdf import PdfWriter

from lenetcli.output.report.contents import gather
from lenetcli.output.report.report import Report
from lenetcli.store.store import Store

STUDENTS = [f"student {number:02}" for number in range(30)]
EDITED, FORGED, STRIPPED, CUT, COPIED = (STUDENTS[number] for number in (3, 8, 13, 21, 27))
HONEST = [name for name in STUDENTS if name not in (EDITED, FORGED, STRIPPED, CUT, COPIED)]
RATES = (0.1, 0.01)


def train(path, seed, **options):
    """A store with a sweep over learning rates of one seed."""
    store = Store.open(str(path), write=True, missing_ok=True)
    carry_out(store, RATES, 2, FakeTrainer(**options), base=BASE, seeds=(seed,))
    return store


def hand_in(folder, name, seed):
    """The folder of a student, with a store and its report."""
    (folder / name).mkdir()
    facts = gather(train(folder / name / "lenetcli.db", seed), author=name)
    Report(facts).write(folder / name / "report.pdf")
    return facts


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """The folder of a teacher."""
    desk = Desk(tmp_path_factory.mktemp("course"))
    folder = desk.folder / "hand-ins"
    folder.mkdir()
    known = {name: hand_in(folder, name, seed) for seed, name in enumerate(STUDENTS) if name != COPIED}

    stated = json.loads(known[EDITED].to_json())
    stated["runs"][0]["record"]["test_accuracy"] = 0.99
    attach((folder / EDITED / "report.pdf").read_bytes(), stated).write(folder / EDITED / "report.pdf")

    section = known[FORGED].learning_rates
    text = section.paragraphs[0][0].text
    forge_text(known[FORGED], text, f"{text} The rate 0.5 is better still.").write(
        folder / FORGED / "report.pdf"
    )

    writer = PdfWriter(clone_from=folder / STRIPPED / "report.pdf")
    del writer.root_object["/Names"]
    writer.write(folder / STRIPPED / "report.pdf")

    content = (folder / CUT / "report.pdf").read_bytes()
    (folder / CUT / "report.pdf").write_bytes(content[: len(content) * 2 // 3])

    shutil.copytree(folder / STUDENTS[0], folder / COPIED)
    Report(gather(Store.open(str(folder / COPIED / "lenetcli.db")), author=COPIED)).write(
        folder / COPIED / "report.pdf"
    )
    return desk


def test_one_command_tells_them_apart(desk):
    verified = desk.run("report", "--verify", "hand-ins", "--json", code=1)
    rows = {row["author"] or row["file"].split("/")[1]: row for row in json.loads(verified.stdout)}
    assert list(rows) == STUDENTS
    for name in HONEST:
        assert (rows[name]["verified"], rows[name]["differences"]) == ("yes", []), name
        assert rows[name]["store"] == f"hand-ins/{name}/lenetcli.db"
    (difference,) = rows[EDITED]["differences"]
    assert difference.startswith("runs[1].record.test_accuracy: the report says 0.99, the store 0.")
    assert rows[FORGED]["verified"] == "differs"
    assert any("The rate 0.5 is better still." in text for text in rows[FORGED]["differences"])
    assert rows[STRIPPED]["verified"] == "text not checked"
    assert any("facts are not attached any more" in text for text in rows[STRIPPED]["notes"])
    assert rows[CUT]["verified"] == "not readable"
    assert "is cut off" in rows[CUT]["error"]
    for text, kind in zip(rows[STUDENTS[0]]["missing"], ("GPU", "CPU"), strict=True):
        assert text.startswith(f"No sweep over filters on a {kind} has been timed.")
    assert rows[COPIED]["verified"] == "yes"  # its numbers follow from the store, which is a copy
    shared = {name: row["shares_times_with"] for name, row in rows.items() if row["shares_times_with"]}
    assert shared == {
        STUDENTS[0]: [f"hand-ins/{COPIED}/report.pdf"],
        COPIED: [f"hand-ins/{STUDENTS[0]}/report.pdf"],
    }


def test_the_table_has_a_line_each_and_names_the_copies(desk):
    names = [STUDENTS[0], FORGED, CUT, COPIED]
    verified = desk.run("report", "--verify", *(f"hand-ins/{name}" for name in names), code=1)
    lines = verified.stdout.splitlines()
    assert lines[0].split() == ["file", "author", "complete", "best", "rate", "hours", "host", "verified"]
    verdicts = ("yes", "differs", "not readable", "yes")
    for line, name, verdict in zip(lines[1:5], names, verdicts, strict=True):
        assert line.startswith(f"hand-ins/{name}/report.pdf")
        assert line.endswith(verdict)
    assert lines[-1] == (
        f"hand-ins/{STUDENTS[0]}/report.pdf and hand-ins/{COPIED}/report.pdf share 4 measured times: "
        "they were measured once."
    )
    assert "Error: Of 4 reports, yes: 2, differs: 1, not readable: 1." in verified.stderr


def test_csv_has_the_fields_of_json(desk):
    words = ["report", "--verify", f"hand-ins/{STUDENTS[1]}", f"hand-ins/{STUDENTS[2]}/report.pdf"]
    (first, second) = csv.DictReader(io.StringIO(desk.run(*words, "--csv").stdout))
    assert list(first) == list(desk.json(*words)[0])
    assert (first["author"], second["author"]) == (STUDENTS[1], STUDENTS[2])
    assert first["complete"] == "False"
    assert float(first["hours"]) == pytest.approx(4 / 3600)


def test_the_gravest_decides(desk):
    honest, stripped, cut = (f"hand-ins/{name}/report.pdf" for name in (HONEST[0], STRIPPED, CUT))
    assert desk.attempt("report", "--verify", honest, stripped).returncode == 6
    assert desk.attempt("report", "--verify", honest, stripped, cut).returncode == 2
    assert desk.attempt("report", "--verify", honest, honest).returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("report.pdf", 2, "report.pdf --verify`"),
        ("--json", 2, "Add --verify"),
        ("--verify", 2, "Name PDFs or folders"),
        ("--verify x.pdf --json --csv", 2, "Choose one"),
        ("--verify x.pdf --title T", 2, "--verify writes nothing"),
        ("--verify nowhere.pdf", 3, "There is no file"),
        ("--verify empty", 3, "There is no PDF"),
    ],
)
def test_what_cannot_be_done(desk, words, code, said):
    (desk.folder / "empty").mkdir(exist_ok=True)
    assert said in desk.run("report", *words.split(), code=code).stderr


# The store of a report


@pytest.fixture
def alone(tmp_path):
    """A folder with one report and its store."""
    desk = Desk(tmp_path)
    Report(gather(train(tmp_path / "lenetcli.db", 1))).write(tmp_path / "report.pdf")
    return desk


def spoil(path):
    shutil.copy(path.parent / "lenetcli.db", path)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE epochs SET val_loss = val_loss + 1")


def test_the_store_of_its_name_goes_before_the_one_it_names(alone):
    spoil(alone.folder / "report.db")
    said = alone.run("report", "--verify", "report.pdf", code=1).stdout
    assert "report.pdf was checked against the store report.db." in said
    assert "curve[1][2]: the report says" in said
    assert "lenetcli.db" in alone.run("report", "--verify", "report.pdf", "--store", "lenetcli.db").stdout


def test_the_only_store_beside_serves_whatever_its_name(alone):
    (alone.folder / "of one").mkdir()
    shutil.move(alone.folder / "report.pdf", alone.folder / "of one" / "report.pdf")
    shutil.copy(alone.folder / "lenetcli.db", alone.folder / "of one" / "other.db")
    assert "of one/other.db" in alone.run("report", "--verify", "of one/report.pdf").stdout
    (alone.folder / "of one" / "other.db").unlink()
    said = alone.run("report", "--verify", "of one/report.pdf").stdout
    assert "checked against the store lenetcli.db." in said
    assert "There is no store beside" in alone.run("report", "--verify", "of one", code=3).stdout


def test_what_was_checked_is_said(alone):
    said = alone.run("report", "--verify", "report.pdf").stdout
    assert said.splitlines() == [
        "report.pdf was checked against the store lenetcli.db.",
        "All numbers and sentences of its facts follow from the store.",
        "Rendered again, it has the same bytes.",
        "Title, author, interpretation, the name of the store and paths in commands are as given.",
    ]


def test_what_was_trained_and_measured_since_is_said(alone):
    store = Store.open(str(alone.folder / "lenetcli.db"), write=True)
    carry_out(store, RATES[:1], 5, FakeTrainer(seconds=3.0), base=BASE, seeds=(1,), single=True)
    trainer = FakeTrainer(seconds=0.5)
    carry_out(store, RATES, 2, trainer, base=BASE, seeds=(1,), remeasure=True)
    assert len(trainer.trained) == 4
    said = alone.run("report", "--verify", "report.pdf").stdout
    assert "The store went on after the report: 2 runs measured again (their runtimes only)." in said
    assert "Rendered again, it has the same bytes." in said
