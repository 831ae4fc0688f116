"""Reports against their stores: what agrees, what differs, and what could not be checked."""

import json
from dataclasses import replace

import pytest
from helpers.made_up import MadeUpEvidence, both_sweeps, rates_sweep
from helpers.pdfs import attach, draw_over, forge_text
from pypdf import PdfReader, PdfWriter

from lenetcli.errors import NotFoundError, UsageError
from lenetcli.experiment.run import RunState
from lenetcli.output.report.contents import gather
from lenetcli.output.report.document import read_document
from lenetcli.output.report.report import Report
from lenetcli.output.report.verification import Outcome, verify

HOSTILE = "Ada #Lovelace $x$ _y_ *z* @a <b> [c] \\ ` \" ' // /* 1. -- ... ~ é Zürich кот"


@pytest.fixture(scope="module")
def evidence():
    return MadeUpEvidence([rates_sweep(seeds=3), *both_sweeps()])


@pytest.fixture(scope="module")
def facts(evidence):
    return gather(evidence, author=HOSTILE)


@pytest.fixture(scope="module")
def report(facts, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.pdf"
    Report(facts).write(path)
    return path


def check(evidence, path):
    return verify(evidence, read_document(path), str(path))


def test_a_true_report_is_verified_to_the_byte(evidence, report):
    found = check(evidence, report)
    assert (found.outcome, found.differences, found.unchecked) == (Outcome.AGREES, (), ())
    assert "Rendered again, it has the same bytes." in found.checked


def test_a_title_need_not_be_text(evidence, tmp_path):
    Report(gather(evidence, title="B\udcffricht")).write(tmp_path / "a.pdf")
    assert check(evidence, tmp_path / "a.pdf").outcome is Outcome.AGREES


def test_a_newer_sweep_does_not_make_an_older_report_wrong(evidence, report):
    newer = MadeUpEvidence([rates_sweep({0.5: [0.9], 0.2: [0.8]}), *evidence.made], name="/moved/store.db")
    assert check(newer, report).outcome is Outcome.AGREES


def test_changed_numbers_are_named(evidence, report):
    rates, *others = evidence.made
    cell = rates.cells[0]
    last = replace(cell.run.curve[-1], val_accuracy=0.5)
    run = replace(cell.run, curve=(*cell.run.curve[:-1], last))
    changed = MadeUpEvidence([replace(rates, cells=(replace(cell, run=run), *rates.cells[1:])), *others])
    found = check(changed, report)
    assert any("val_accuracy" in text and "0.5" in text for text in found.differences)
    assert found.outcome is Outcome.DIFFERS


def test_a_sweep_that_is_gone_is_a_difference(evidence, report):
    (difference,) = check(MadeUpEvidence(evidence.made[1:]), report).differences
    assert "has no sweep" in difference


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.1 works best", "0.01 works best"),
        ("0.1 works best", "0.1 works best, and 0.5 better still. 0.1 works best"),
        ("validation accuracy of ", "validation accuracy of about "),
    ],
)
@pytest.mark.parametrize("versions", [{}, {"typst": "0.12.0", "matplotlib": "3.10.0"}, {"lenetcli": "9.9.9"}])
def test_another_text_over_true_facts_is_named_whatever_versions_it_states(
    evidence, facts, tmp_path, old, new, versions
):
    """The versions are those of the file under test, which may state any."""
    stated = replace(facts, versions={**facts.versions, **versions})
    forge_text(stated, old, new).write(tmp_path / "forged.pdf")
    found = check(evidence, tmp_path / "forged.pdf")
    assert found.outcome is Outcome.DIFFERS
    assert any(set(new.split()) - set(old.split()) & set(text.split()) for text in found.differences)


def test_a_number_in_a_table_or_the_appendix_is_named(evidence, facts, tmp_path):
    row = facts.runs[0].row
    changed = replace(facts.runs[0], row=(*row[:-2], "0.9999", row[-1]))
    attach(Report(replace(facts, runs=(changed, *facts.runs[1:]))), facts).write(tmp_path / "forged.pdf")
    (difference,) = check(evidence, tmp_path / "forged.pdf").differences
    assert "0.9999" in difference
    assert row[-2] in difference


def test_a_report_of_other_versions_is_checked_by_its_text(evidence, facts, tmp_path):
    stated = replace(facts, versions={"lenetcli": "0.0.9", "typst": "0.12.0", "matplotlib": "3.10.0"})
    Report(stated).write(tmp_path / "a.pdf")
    found = check(evidence, tmp_path / "a.pdf")
    assert found.outcome is Outcome.AGREES
    assert "0.0.9" in read_document(tmp_path / "a.pdf").text


def test_a_sentence_in_place_of_a_version_is_a_difference(evidence, facts, tmp_path):
    stated = replace(facts, versions={**facts.versions, "typst": "0.15 and 0.5 is the best rate"})
    Report(stated).write(tmp_path / "a.pdf")
    (difference,) = check(evidence, tmp_path / "a.pdf").differences
    assert difference.startswith("versions: ")


def test_sentences_of_another_version_are_said_not_to_be_checked(evidence, facts, tmp_path):
    (first, *rest), *others = facts.learning_rates.paragraphs
    said = replace(first, text="It was 0.1, in the words of another version.")
    section = replace(facts.learning_rates, paragraphs=((said, *rest), *others))
    stated = replace(facts, learning_rates=section, versions={**facts.versions, "lenetcli": "0.0.9"})
    Report(stated).write(tmp_path / "a.pdf")
    found = check(evidence, tmp_path / "a.pdf")
    assert found.outcome is Outcome.TEXT_UNCHECKED
    general, *listed = found.unchecked
    assert "sentences and figures were not checked" in general
    assert listed == ["This version does not say: 'It was 0.1, in the words of another version.'"]


# Saved again


def save(report, path, change=lambda writer: None):
    writer = PdfWriter(clone_from=report)
    change(writer)
    writer.write(path)


def annotate(writer):
    from pypdf.annotations import FreeText

    writer.add_annotation(0, FreeText(text="Well done", rect=(50, 50, 200, 100)))


def compress(writer):
    for page in writer.pages:
        page.compress_content_streams()


@pytest.mark.parametrize("change", [lambda writer: None, annotate, compress])
def test_what_another_program_saved_again_agrees(evidence, report, tmp_path, change):
    save(report, tmp_path / "a.pdf", change)
    assert (tmp_path / "a.pdf").read_bytes() != report.read_bytes()
    found = check(evidence, tmp_path / "a.pdf")
    assert found.outcome is Outcome.AGREES
    assert any("another program saved the file again" in text for text in found.checked)
    assert any("An annotation lies upon its pages" in text for text in found.notes) is (change is annotate)


def test_a_newline_at_the_end_changes_nothing(evidence, report, tmp_path):
    (tmp_path / "a.pdf").write_bytes(report.read_bytes() + b"\n")
    assert check(evidence, tmp_path / "a.pdf").outcome is Outcome.AGREES


@pytest.mark.parametrize(
    "change", [lambda writer: writer.pages[0].rotate(180), lambda writer: draw_over(writer.pages[0])]
)
def test_pages_that_look_otherwise_are_not_vouched_for(evidence, report, tmp_path, change):
    save(report, tmp_path / "a.pdf", change)
    found = check(evidence, tmp_path / "a.pdf")
    assert found.outcome is Outcome.FIGURES_UNCHECKED
    assert any("figures were not compared" in text for text in found.unchecked)


def test_a_page_more_is_a_difference(evidence, report, tmp_path):
    save(report, tmp_path / "a.pdf", lambda writer: writer.append(report, pages=(0, 1)))
    assert check(evidence, tmp_path / "a.pdf").outcome is Outcome.DIFFERS


def drop_facts(writer):
    del writer.root_object["/Names"]


def test_without_its_facts_the_text_is_compared(evidence, report, tmp_path):
    save(report, tmp_path / "a.pdf", drop_facts)
    found = check(evidence, tmp_path / "a.pdf")
    assert found.outcome is Outcome.TEXT_UNCHECKED
    assert any("facts are not attached any more" in text for text in found.notes)
    assert any("with nothing left out or added" in text for text in found.checked)


def test_without_its_facts_a_changed_text_differs(evidence, facts, tmp_path):
    forge_text(facts, "0.1 works best", "0.01 works best").write(tmp_path / "forged.pdf")
    save(tmp_path / "forged.pdf", tmp_path / "a.pdf", drop_facts)
    found = check(evidence, tmp_path / "a.pdf")
    assert found.outcome is Outcome.DIFFERS
    assert any("0.01 works best" in text for text in found.differences)


# Not to be read


def flip(content, share):
    place = int(len(content) * share)
    return content[:place] + bytes(100) + content[place + 100 :]


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda content: b"", "is not a PDF"),
        (lambda content: b"text", "is not a PDF"),
        (lambda content: b"%PDF-1.7 broken %%EOF", "is damaged"),
        (lambda content: content[: len(content) // 2], "is cut off"),
        (lambda content: content[:-200], "is cut off"),
    ],
)
def test_what_cannot_be_read_is_told_for_what_it_is(report, tmp_path, make, problem):
    (tmp_path / "a.pdf").write_bytes(make(report.read_bytes()))
    with pytest.raises(UsageError, match=problem) as caught:
        read_document(tmp_path / "a.pdf")
    assert "again with lenetcli" not in str(caught.value)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.4, 0.6, 0.8, 0.95])
def test_damaged_pages_are_never_vouched_for(evidence, report, tmp_path, share):
    (tmp_path / "a.pdf").write_bytes(flip(report.read_bytes(), share))
    try:
        whole = read_document(tmp_path / "a.pdf").pages == read_document(report).pages
        assert whole or check(evidence, tmp_path / "a.pdf").outcome is not Outcome.AGREES
    except UsageError as error:
        assert "damaged" in error.problem


def test_a_protected_report_is_said_to_be_one(report, tmp_path):
    save(report, tmp_path / "a.pdf", lambda writer: writer.encrypt("secret", algorithm="RC4-128"))
    with pytest.raises(UsageError, match="protected with a password") as caught:
        read_document(tmp_path / "a.pdf")
    assert "saved without a password" in caught.value.advice


def test_protection_against_changes_alone_is_no_hindrance(evidence, report, tmp_path):
    save(report, tmp_path / "a.pdf", lambda writer: writer.encrypt("", "owner", algorithm="RC4-128"))
    assert check(evidence, tmp_path / "a.pdf").outcome is Outcome.AGREES


def test_there_is_no_such_file(tmp_path):
    with pytest.raises(NotFoundError):
        read_document(tmp_path / "none.pdf")


def test_another_pdf_is_not_a_report(evidence, tmp_path):
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.write(tmp_path / "other.pdf")
    with pytest.raises(UsageError, match="is not a report"):
        check(evidence, tmp_path / "other.pdf")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"format": 4, "options": {}}', "are damaged"),
        (b"[", "are damaged"),
        (b"[]", "are damaged"),
        (b'{"format": 99}', "format 99"),
    ],
)
def test_facts_that_are_none_are_told(evidence, tmp_path, content, problem):
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.add_attachment("facts.json", content)
    writer.write(tmp_path / "other.pdf")
    with pytest.raises(UsageError, match=problem):
        check(evidence, tmp_path / "other.pdf")


@pytest.mark.parametrize("name", ["options", "versions", "setup", "learning_rates", "filters", "runs"])
@pytest.mark.parametrize("value", [None, [], {}, "text", 1, [[]], [{}]])
def test_facts_of_any_form_end_in_a_difference_or_an_error(evidence, facts, report, tmp_path, name, value):
    stated = json.loads(facts.to_json()) | {name: value}
    attach(report.read_bytes(), stated).write(tmp_path / "a.pdf")
    try:
        assert check(evidence, tmp_path / "a.pdf").outcome is Outcome.DIFFERS
    except UsageError as error:
        assert "are damaged" in error.problem


# The store went on


def change_runs(evidence, change):
    sweeps = [
        replace(sweep, cells=tuple(replace(cell, run=change(cell.run)) for cell in sweep.cells))
        for sweep in evidence.made
    ]
    return MadeUpEvidence(sweeps)


def measure_again(run):
    first = run.attempts[0]
    timings = tuple(replace(t, train_seconds=t.train_seconds / 2) for t in first.timings)
    return replace(run, attempts=(first, replace(first, number=2, remeasure=True, timings=timings)))


def test_a_report_from_before_a_measurement_agrees_and_says_so(evidence, report):
    again = change_runs(evidence, measure_again)
    found = check(again, report)
    assert found.outcome is Outcome.AGREES
    (note,) = found.notes
    count = len({run.id for sweep in evidence.made for run in sweep.runs})
    assert note == f"The store went on after the report: {count} runs measured again (their runtimes only)."
    newer = gather(again)
    assert newer.runs[0].record["runtime_seconds"] < gather(evidence).runs[0].record["runtime_seconds"]


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.INTERRUPTED, RunState.FAILED])
def test_a_report_of_an_unfinished_sweep_agrees_when_it_is_finished(evidence, tmp_path, state):
    def stop(run):
        points = (*run.curve[:2], replace(run.curve[2], test_accuracy=None))
        first = run.attempts[0]
        return replace(run, state=state, curve=points, attempts=(replace(first, timings=first.timings[:3]),))

    before = MadeUpEvidence(change_runs(evidence, stop).made[:1])
    rates = before.made[0]
    unbegun = replace(rates, cells=(*rates.cells[:-1], replace(rates.cells[-1], run=None)))
    Report(gather(MadeUpEvidence([unbegun]))).write(tmp_path / "a.pdf")
    found = check(evidence, tmp_path / "a.pdf")
    assert (found.outcome, found.differences) == (Outcome.AGREES, ())
    assert found.notes == ("The store went on after the report: 1 run begun, 11 runs trained further.",)


def test_a_sweep_that_was_typed_again_in_other_words_leaves_the_commands_as_they_were(evidence, report):
    sweeps = [
        replace(sweep, request=replace(sweep.request, threads=1, data="elsewhere")) for sweep in evidence.made
    ]
    assert check(MadeUpEvidence(sweeps), report).outcome is Outcome.AGREES


def test_a_command_that_is_not_of_the_sweep_is_a_difference(evidence, tmp_path):
    sweep = evidence.made[1]
    other = replace(sweep, request=replace(sweep.request, batch_size=7))
    Report(gather(MadeUpEvidence([other]))).write(tmp_path / "a.pdf")
    differences = check(MadeUpEvidence([sweep]), tmp_path / "a.pdf").differences
    assert any("command" in text and "--batch-size 7" in text for text in differences)


def test_a_run_that_is_hidden_is_a_difference(evidence, facts, report, tmp_path):
    stated = json.loads(facts.to_json())
    del stated["runs"][0]
    attach(report.read_bytes(), stated).write(tmp_path / "a.pdf")
    assert check(evidence, tmp_path / "a.pdf").outcome is Outcome.DIFFERS


def test_a_state_that_a_run_never_had_is_a_difference(evidence, facts, report, tmp_path):
    stated = json.loads(facts.to_json())
    stated["runs"][0]["record"] |= {"state": "diverged", "epochs": 3}
    attach(report.read_bytes(), stated).write(tmp_path / "a.pdf")
    assert check(evidence, tmp_path / "a.pdf").outcome is Outcome.DIFFERS


def test_facts_of_the_format_before_are_compared_as_far_as_they_mean_the_same(evidence, facts, tmp_path):
    older = json.loads(facts.to_json()) | {"format": 3}
    for run in older["runs"]:
        del run["record"]["attempts"]
    attach(Report(facts), older).write(tmp_path / "a.pdf")
    assert check(evidence, tmp_path / "a.pdf").outcome is Outcome.TEXT_UNCHECKED
    assert check(change_runs(evidence, measure_again), tmp_path / "a.pdf").outcome is Outcome.TEXT_UNCHECKED
    older["runs"][0]["record"]["runtime_seconds"] += 1
    attach(Report(facts), older).write(tmp_path / "a.pdf")
    (difference,) = check(evidence, tmp_path / "a.pdf").differences
    assert difference.startswith("runs[1].runtime_seconds: ")


def test_facts_tell_when_and_where_each_epoch_was_measured(report):
    facts = json.loads(PdfReader(report).attachments["facts.json"][0])
    (attempt,) = facts["runs"][0]["record"]["attempts"]
    assert attempt["host"] == "bench"
    assert attempt["started_at"] == "2025-03-01T00:00:00+00:00"
    assert [timing[0] for timing in attempt["timings"]] == list(range(1, 11))
