"""Reports of sweeps over several parameters: rows that serve the exercise, a section, verification."""

import itertools
import json
from dataclasses import replace

import pytest
from helpers.made_up import MadeUpEvidence, both_sweeps, rates_sweep
from helpers.pdfs import attach, forge_text
from helpers.report_grids import grid_sweep
from pypdf import PdfReader, PdfWriter

from lenetcli.errors import NotFoundError, UsageError
from lenetcli.experiment.run import RunState
from lenetcli.output.report.contents import choose, gather
from lenetcli.output.report.document import read_document
from lenetcli.output.report.report import Report
from lenetcli.output.report.verification import Outcome, verify

AXES = {"lr": (0.1, 0.01), "filters": (8, 16)}
FINALS = dict(zip(itertools.product(*AXES.values()), (0.95, 0.92, 0.90, 0.965), strict=True))
GRID = grid_sweep(AXES, FINALS, seeds=2)
THREE = grid_sweep(
    AXES | {"batch_size": (32, 128)},
    {(*point, batch): final - batch / 10_000 for point, final in FINALS.items() for batch in (32, 128)},
)


def names(choice):
    return [(sweep.grid or sweep, sweep.parameters) for sweep in choice.sweeps]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report of a grid that serves for everything."""
    path = tmp_path_factory.mktemp("grids") / "report.pdf"
    Report(gather(MadeUpEvidence([GRID]))).write(path)
    return path


def check(evidence, path):
    return verify(evidence, read_document(path), str(path))


# Which sweeps


def test_a_grid_serves_as_both_sweeps_of_the_exercise_and_has_a_section():
    choice = choose(MadeUpEvidence([GRID]))
    assert names(choice) == [(GRID, ("lr",)), (GRID, ("filters",)), (GRID, ("lr", "filters"))]
    assert len(choice.notes) == 2


def test_a_fuller_exercise_stays_in_its_place():
    rates, (cpu, gpu) = rates_sweep(), both_sweeps()
    choice = choose(MadeUpEvidence([GRID, rates, cpu, gpu]))
    assert list(choice.sweeps) == [rates, cpu, gpu, GRID]


def test_the_newest_grid_with_two_combinations_is_shown_unless_another_is_named():
    begun = grid_sweep(AXES, {(0.1, 8): 0.9}, epochs=3)
    choice = choose(MadeUpEvidence([begun, THREE, GRID]))
    assert choice.sweeps[-1] is THREE
    assert choice.notes[-1] == (
        f"Not shown, with fewer than two finished combinations: the newer grid {begun.id[:8]}. "
        f"Choose it with --sweep {begun.id[:8]}."
    )
    assert choose(MadeUpEvidence([THREE, GRID]), [GRID]).sweeps[-1] is GRID
    assert choose(MadeUpEvidence([begun, GRID]), [begun]).sweeps[-1] is begun


def test_a_report_has_one_grid_and_something_to_report():
    with pytest.raises(UsageError, match="one over several parameters"):
        choose(MadeUpEvidence([THREE, GRID]), [THREE, GRID])
    with pytest.raises(NotFoundError):
        choose(MadeUpEvidence([grid_sweep(AXES, {})]))


# What it says


def test_the_report_says_which_sweeps_it_used(report):
    rows = gather(MadeUpEvidence([GRID])).sweeps.rows
    assert [[cell.text for cell in row][:4] for row in rows] == [
        [GRID.id[:12], "learning rates", "lr 0.1 0.01 (its row with filters 16)", "2"],
        [GRID.id[:12], "filters", "filters 8 16 (its row with lr 0.1)", "2"],
        [GRID.id[:12], "combinations", "lr 0.1 0.01, filters 8 16", "2"],
    ]
    words = " ".join(read_document(report).text.split())
    assert f"sweep {GRID.id[:12]}, and from the runs below" in words
    assert "2025-03-01 00:00 UTC" in words
    assert "3 Combinations of learning rate and filters" in words


def test_two_parameters_are_rows_and_columns_with_holes_as_holes():
    finals = FINALS | {(0.1, 16): (0.5, {"state": RunState.DIVERGED, "epochs": 1})}
    del finals[0.01, 8]
    section = gather(MadeUpEvidence([grid_sweep(AXES, finals, seeds=2)])).grid
    assert section.table.header == ("learning rate", "8 filters", "16 filters")
    assert [[cell.text for cell in row] for row in section.table.rows] == [
        ["0.1", "0.9503", "diverged (2 of 2)"],
        ["0.01", "–", "0.9652"],
    ]
    assert section.table.rows[1][2].numbers == {"mean": pytest.approx(0.96525), "finished": 2, "planned": 2}


def test_a_combination_with_fewer_seeds_says_how_many():
    first = GRID.cells[0]
    cut = replace(first.run, curve=first.run.curve[:2], state=RunState.INTERRUPTED)
    sweep = replace(GRID, cells=(replace(first, run=cut), *GRID.cells[1:]))
    table = gather(MadeUpEvidence([sweep])).grid.table
    assert table.rows[0][1].text == "0.9505 (1 of 2)"
    assert "in brackets how many are finished" in table.caption


def test_the_shorter_side_is_across_and_two_long_ones_are_a_list():
    many = tuple(range(1, 10))
    wide = {"lr": (0.1, 0.01), "filters": many}
    table = gather(MadeUpEvidence([grid_sweep(wide, dict.fromkeys(itertools.product(*wide.values()), 0.9))]))
    assert table.grid.table.header == ("filters", "learning rate 0.1", "learning rate 0.01")
    square = {"batch_size": tuple(n * 8 for n in many), "filters": many}
    finals = {point: 0.9 + sum(point) / 10_000 for point in itertools.product(*square.values())}
    table = gather(MadeUpEvidence([grid_sweep(square, finals)])).grid.table
    assert table.header == ("batch", "filters", "best", "after epoch 6", "behind the first by")
    assert [[cell.text for cell in row[:3]] for row in table.rows[:2]] == [
        ["72", "9", "0.9081"],
        ["72", "8", "0.9080"],
    ]
    assert len(table.rows) == 12
    assert "the first 12 of 81" in table.caption


def test_three_parameters_are_a_list_best_first(tmp_path):
    facts = gather(MadeUpEvidence([THREE]))
    accuracies = [row[4].numbers["mean"] for row in facts.grid.table.rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert len(accuracies) == 8
    Report(facts).write(tmp_path / "a.pdf")
    # The appendix tells runs apart that differ in another parameter than rate, filters and seed.
    assert "accuracy runtime batch" in read_document(tmp_path / "a.pdf").text


def test_the_section_of_rates_is_that_of_the_row_alone():
    row = GRID.slice("lr")
    alone = gather(MadeUpEvidence([replace(row, grid=None)]))
    assert gather(MadeUpEvidence([GRID])).learning_rates == alone.learning_rates


# Whether it can be checked


def test_it_is_verified_to_the_byte_also_beside_newer_sweeps(report):
    newer = replace(GRID.slice("lr"), grid=None)
    for made in ([GRID], [newer, rates_sweep(), GRID], [THREE, GRID]):
        found = check(MadeUpEvidence(made), report)
        assert (found.outcome, found.differences, found.notes) == (Outcome.AGREES, (), ())


def test_what_was_trained_later_in_other_rows_is_no_difference(tmp_path):
    finals = {point: final for point, final in FINALS.items() if point != (0.01, 8)}
    before = MadeUpEvidence([grid_sweep(AXES, finals), THREE])
    row = before.made[0].slice("lr")
    path = tmp_path / "a.pdf"
    Report(gather(before, sweeps=[row])).write(path)
    found = check(MadeUpEvidence([grid_sweep(AXES, FINALS)]), path)
    assert (found.outcome, found.notes) == (Outcome.AGREES, ())
    Report(gather(before)).write(path)
    found = check(MadeUpEvidence([grid_sweep(AXES, FINALS), THREE]), path)
    assert found.outcome is Outcome.AGREES


def test_a_grid_that_grew_is_told_and_no_difference(tmp_path):
    finals = {point: final for point, final in FINALS.items() if point != (0.01, 8)}
    path = tmp_path / "a.pdf"
    Report(gather(MadeUpEvidence([grid_sweep(AXES, finals)]))).write(path)
    found = check(MadeUpEvidence([grid_sweep(AXES, FINALS)]), path)
    assert found.outcome is Outcome.AGREES
    assert found.notes == ("The store went on after the report: 1 run begun.",)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.01 with 16 filters works best", "0.1 with 16 filters works best"),
        ("The best learning rate depends", "The best learning rate hardly depends"),
    ],
)
def test_another_sentence_on_the_grid_is_named(tmp_path, old, new):
    forge_text(gather(MadeUpEvidence([GRID])), old, new).write(tmp_path / "a.pdf")
    assert check(MadeUpEvidence([GRID]), tmp_path / "a.pdf").outcome is Outcome.DIFFERS


@pytest.mark.parametrize("change", ["table", "sweeps"])
def test_another_number_in_the_facts_of_a_grid_is_named(tmp_path, change):
    facts = gather(MadeUpEvidence([GRID]))
    table = facts.grid.table if change == "table" else facts.sweeps
    (first, second, *cells), *rows = table.rows
    forged = replace(table, rows=((first, replace(second, text="0.9999"), *cells), *rows))
    if change == "table":
        facts = replace(facts, grid=replace(facts.grid, table=forged))
    else:
        facts = replace(facts, sweeps=forged)
    Report(facts).write(tmp_path / "a.pdf")
    (difference,) = check(MadeUpEvidence([GRID]), tmp_path / "a.pdf").differences
    assert "0.9999" in difference


def test_a_row_that_the_store_has_not_is_a_difference(tmp_path):
    facts = gather(MadeUpEvidence([GRID]))
    (id, _), *others = facts.options.shown
    forged = replace(facts.options, shown=((id, "momentum"), *others))
    Report(replace(facts, options=forged)).write(tmp_path / "a.pdf")
    (difference,) = check(MadeUpEvidence([GRID]), tmp_path / "a.pdf").differences
    assert "has no row over momentum" in difference


def test_without_its_facts_the_rows_are_found_again(report, tmp_path):
    writer = PdfWriter()
    for page in PdfReader(report).pages:
        writer.add_page(page)
    writer.add_metadata({"/Title": PdfReader(report).metadata.title})
    writer.write(tmp_path / "a.pdf")
    found = check(MadeUpEvidence([THREE, GRID]), tmp_path / "a.pdf")
    assert (found.outcome, found.differences) == (Outcome.TEXT_UNCHECKED, ())


def test_facts_of_an_older_format_which_know_no_rows_are_compared(tmp_path):
    evidence = MadeUpEvidence([rates_sweep(seeds=2), *both_sweeps()])
    facts = gather(evidence)
    older = json.loads(facts.to_json()) | {"format": 3}
    del older["grid"], older["sweeps"], older["options"]["shown"]
    for name in ("learning_rates", "filters"):
        del older[name]["title"]
    attach(Report(facts), older).write(tmp_path / "a.pdf")
    found = check(evidence, tmp_path / "a.pdf")
    assert (found.outcome, found.differences) == (Outcome.TEXT_UNCHECKED, ())
