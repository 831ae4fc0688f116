"""The report as a document: what it says, what it carries, and whether it can be checked."""

import json
from dataclasses import replace
from io import BytesIO

import pytest
from helpers.made_up import (
    BASE,
    CPU_SECONDS,
    MadeUpEvidence,
    both_sweeps,
    filters_sweep,
    make_cell,
    make_sweep,
    rates_sweep,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from lenetcli.errors import NotFoundError, UsageError
from lenetcli.experiment.config import DeviceKind
from lenetcli.experiment.datasets import SYNTHETIC
from lenetcli.output.report.contents import gather
from lenetcli.output.report.document import read_document
from lenetcli.output.report.interpretation import read_interpretation
from lenetcli.output.report.report import Report
from lenetcli.output.report.setup import list_sweeps
from lenetcli.output.report.verification import Outcome, verify
from lenetcli.words import write_seconds

SMALL = MadeUpEvidence([rates_sweep({0.1: [0.9]})])
HOSTILE = "Ada #Lovelace $x$ _y_ *z* @a <b> [c] \\ ` \" ' // /* 1. -- ... ~ é Zürich кот"


def make(evidence, **options):
    return Report(gather(evidence, **options))


@pytest.fixture(scope="module")
def evidence():
    return MadeUpEvidence([rates_sweep(seeds=3), *both_sweeps()])


@pytest.fixture(scope="module")
def document(evidence, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.pdf"
    make(evidence, author=HOSTILE).write(path)
    return path


def read_words(path):
    pages = enumerate(PdfReader(path).pages, 1)
    text = " ".join(page.extract_text().removesuffix(str(number)) for number, page in pages)
    return " ".join(text.replace("\n", " ").split())


def test_the_whole_exercise_fits_on_two_pages(document):
    assert len(PdfReader(document).pages) == 2
    page = PdfReader(document).pages[0].mediabox
    assert (round(page.width), round(page.height)) == (595, 842)


def test_every_question_of_the_exercise_is_answered(document):
    words = read_words(document)
    for phrase in (
        "0.1 works best",
        "It is ahead of 0.01 by 0.0106 (95% interval",
        "have not converged: over the last 5 epochs",
        "a higher rate gets further in the same number of steps",
        "Runtime follows the arithmetic rather than the parameters",
        "9 F² + 6,283 F + 1,418",
        "times as long as with 8",
        "overhead takes most of the time below about",
        "Speed-up of the GPU",
        "Two convolutions (kernel 3×3",
        "lenetcli report --verify",
        "TensorFlow 2.21.0",
    ):
        assert phrase in words


def test_a_caption_speaks_of_the_axis_that_is_drawn(tmp_path, document):
    assert "stretched towards 0 and 1" in read_words(document)
    perfect = MadeUpEvidence([rates_sweep({0.1: [0.97, 1.0], 0.01: [0.5, 0.6]})])
    make(perfect).write(tmp_path / "perfect.pdf")
    assert "stretched" not in read_words(tmp_path / "perfect.pdf")


def test_the_command_for_a_missing_device_keeps_the_setting(tmp_path):
    sweep = filters_sweep(DeviceKind.CPU, CPU_SECONDS, base=replace(BASE, batch_size=256))
    sweep = replace(sweep, request=replace(sweep.request, batch_size=256))
    make(MadeUpEvidence([sweep])).write(tmp_path / "cpu.pdf")
    words = read_words(tmp_path / "cpu.pdf").replace(" ", "")
    assert "lenetclisweepfilters8163264128256--epochs5--batch-size256--devicegpu" in words


def test_user_text_is_text(document):
    reader = PdfReader(document)
    assert reader.metadata.author == HOSTILE
    assert HOSTILE.replace(" ", "") in read_words(document).replace(" ", "")


def test_the_same_store_gives_the_same_bytes_and_no_date(evidence, document):
    assert make(evidence, author=HOSTILE).pdf() == document.read_bytes()
    assert "/CreationDate" not in PdfReader(document).metadata


def test_each_number_carries_its_run(evidence, document):
    words = read_words(document)
    assert all(run.id[:8] in words for sweep in evidence.sweeps() for run in sweep.runs)
    facts = json.loads(PdfReader(document).attachments["facts.json"][0])
    known = {run["record"]["id"] for run in facts["runs"]}
    paragraphs = facts["learning_rates"]["paragraphs"] + facts["filters"]["paragraphs"]
    assert all(set(statement["runs"]) <= known for paragraph in paragraphs for statement in paragraph)


def test_each_cell_carries_the_numbers_of_its_text(document):
    facts = json.loads(PdfReader(document).attachments["facts.json"][0])
    best = facts["learning_rates"]["table"]["rows"][0][1]
    assert best["text"] == f"{best['numbers']['mean']:.4f} ± {best['numbers']['deviation']:.4f}"
    runtime = facts["filters"]["table"]["rows"][0][2]
    assert runtime["text"].startswith(f"{runtime['numbers']['seconds']:#.3g}".rstrip("."))
    curves = facts["learning_rates"]["figure"]["series"]["curves"]
    assert [curve["label"] for curve in curves] == ["0.1", "0.01", "0.001", "0.0001"]
    assert best["numbers"]["mean"] in curves[0]["mean"]


def test_the_source_lies_beside_its_figures_and_compiles_to_the_same_text(evidence, document, tmp_path):
    import typst

    path = tmp_path / "my report #1.typ"
    make(evidence, author=HOSTILE).write(path)
    names = sorted(file.name for file in (tmp_path / "my report #1_figures").iterdir())
    assert names == ["facts.json", "learning_rates.svg", "runtime.svg"]
    compiled = typst.compile(path, ignore_system_fonts=True, format="pdf")
    assert read_words(BytesIO(compiled)) == read_words(document)


def test_missing_experiments_are_named_with_their_commands(tmp_path):
    make(MadeUpEvidence([rates_sweep(base=replace(BASE, data=SYNTHETIC))])).write(tmp_path / "a.pdf")
    words = read_words(tmp_path / "a.pdf")
    assert "lenetcli sweep filters 8 16 32 64 128 256" in words
    assert "lenetcli sweep filters 8 16 32 64" in words
    assert "synthetic digits" in words
    assert "MNIST" not in words
    make(MadeUpEvidence([filters_sweep(DeviceKind.CPU, CPU_SECONDS)])).write(tmp_path / "b.pdf")
    assert "lenetcli sweep lr 0.1 0.01 0.001 0.0001" in read_words(tmp_path / "b.pdf")


@pytest.mark.parametrize("sweeps", [[], [make_sweep("lr", 10, [make_cell("lr", 0.1, None)])]])
def test_a_store_without_results_is_told_what_to_train(sweeps):
    with pytest.raises(NotFoundError, match="lenetcli sweep lr") as caught:
        make(MadeUpEvidence(sweeps))
    assert caught.value.exit_code == 3


def test_an_unfinished_sweep_is_reported_as_far_as_it_is(tmp_path):
    sweep = rates_sweep({0.1: [0.97, 0.98], 0.01: [0.9], 0.001: None})
    make(MadeUpEvidence([sweep])).write(tmp_path / "a.pdf")
    words = read_words(tmp_path / "a.pdf")
    assert "Only the learning rate 0.1 has a finished run" in words
    assert "lenetcli sweep lr 0.1 0.01 0.001 --epochs 2" in words


def test_another_ending_is_an_error_before_anything_is_written(tmp_path):
    report = make(MadeUpEvidence([rates_sweep()]))
    with pytest.raises(UsageError, match=r"\.pdf or \.typ or \.md or \.tex"):
        report.write(tmp_path / "report.docx")
    assert list(tmp_path.iterdir()) == []


def clean(text):
    """The text without control characters, and with single blanks."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


@settings(max_examples=30)
@given(st.text(st.characters(exclude_categories=["Cn"]), min_size=1, max_size=60))
def test_any_title_is_kept_but_for_blanks(title):
    reader = PdfReader(BytesIO(make(SMALL, title=title).pdf()))
    assert (reader.metadata.title or "") == clean(title)


@settings(max_examples=25)
@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30))
def test_any_title_is_shown_as_it_is(title):
    page = PdfReader(BytesIO(make(SMALL, title=title).pdf())).pages[0]
    assert "".join(page.extract_text().split()).startswith(f"{title}NetworkTwo")


def test_a_report_does_not_name_the_folder_of_its_store():
    (sweep,) = SMALL.made
    at_home = replace(sweep, request=replace(sweep.request, data="/home/ada/mnist"))
    facts = gather(MadeUpEvidence([at_home], name="/home/ada/course/lenetcli.db"))
    assert facts.options.store == "lenetcli.db"
    assert b"/home/ada/course" not in facts.to_json()
    # Data that is not found everywhere is named where a command needs it, and nowhere else.
    commands = [statement.command for statement in (*facts.learning_rates.missing, *facts.filters.missing)]
    assert all("--data /home/ada/mnist" in command for command in commands)
    assert facts.to_json().count(b"/home/ada/mnist") == len(commands) + 1


def test_a_report_on_data_in_order_says_so_before_it_ranks_and_keeps_its_path():
    made = [rates_sweep({0.1: [0.7, 0.8], 0.01: [0.9, 0.95], 0.001: [0.5, 0.6]}), *both_sweeps()]
    at_home = [replace(sweep, request=replace(sweep.request, data="digits")) for sweep in made]
    evidence = MadeUpEvidence(at_home, faults={"train": (5000,) * 10, "repeats": 59_990})
    facts = gather(evidence)
    first, *_ = facts.learning_rates.introduction
    assert first.text == "The training images are sorted by class, and the last sixth of them validates."
    assert first.command == "lenetcli data --data digits --shuffle shuffled.npz"
    assert dict(facts.setup)["Faults of the data"] == first.text
    # No other command has the path, which the verification needs to write this one again.
    paragraphs = (*facts.learning_rates.paragraphs, *facts.filters.paragraphs, facts.filters.missing)
    assert not [one.command for paragraph in paragraphs for one in paragraph if "digits" in one.command]
    assert {request["data"] for request in facts.options.requests} == {"digits"}


def read_setup(evidence):
    return dict(gather(evidence).setup)


def test_the_setup_names_the_machines_that_computed_what_is_shown():
    def go_on(run):
        (first,) = run.attempts
        others = replace(first, number=2, host="elsewhere", versions={"tensorflow": "9.9"}, timings=())
        return replace(run, attempts=(first, others))

    (sweep,) = SMALL.made
    cells = tuple(replace(cell, run=go_on(cell.run)) for cell in sweep.cells)
    assert read_setup(MadeUpEvidence([replace(sweep, cells=cells)])) == read_setup(SMALL)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (10_000, "validation after each epoch, the test set kept apart for the end."),
        (None, "validation after each epoch, the test set kept apart for the end."),
        (0, "validation after each epoch, there is no test set."),
    ],
)
def test_a_test_set_is_said_to_be_kept_apart_where_there_is_one(images, said):
    assert read_setup(replace(SMALL, test_images=images))["Data"].endswith(said)


def test_the_appendix_has_the_runtime_of_the_tables():
    (facts, *_) = gather(SMALL).runs
    (run,) = SMALL.made[0].runs
    assert facts.row[-1] == write_seconds(run.runtime_seconds)
    assert facts.record["runtime_seconds"] == run.runtime_seconds


def test_rates_that_differ_differ_in_the_appendix():
    sweep = rates_sweep({0.1234567: [0.9], 0.1234568: [0.9], 0.1234569: [0.9]})
    assert len({run.row[1] for run in gather(MadeUpEvidence([sweep])).runs}) == 3


def test_a_long_table_is_an_excerpt_and_flows_on_in_the_appendix(tmp_path):
    rates = {round(0.0005 * number, 4): [0.5, 0.6 + 0.001 * number] for number in range(1, 201)}
    facts = gather(MadeUpEvidence([rates_sweep(rates)]))
    assert len(facts.learning_rates.table.rows) == 200
    assert facts.learning_rates.table.excerpt == (0, 99, *range(190, 200))
    Report(facts).write(tmp_path / "a.pdf")
    words = read_words(tmp_path / "a.pdf").split()
    assert all(words.count(run.row[0]) == 1 for run in facts.runs)
    assert words.count("runtime") > 2  # the header stands above each part
    values = facts.sweeps.rows[0][2].text
    assert values == "lr 0.0005 0.001 0.0015 … 0.0995 0.1 (200 values)"
    many = filters_sweep(DeviceKind.CPU, dict.fromkeys(range(1, 201), 5.0), epochs=1)
    assert list_sweeps([many]).rows[0][2].text == "filters 1..200"


# An interpretation of the author's own

WRITTEN = """# What I see

The rate **0.1** is *best*, see `lenetcli plot`
and [the course](https://example.org/a_b#c); #eval("1") $x$ <b>.
A ![curve](x.png) \\* and <https://example.org>.

3. three
   - nested
4. four

> quoted

```
  if x:
      #let
```

| rate | note |
| --- | --- |
| 0.1 | good |

[bad](javascript:alert)
"""


def test_an_interpretation_is_set_as_the_authors_own_and_stays_text(evidence, tmp_path):
    facts = gather(evidence, author="Ada", interpretation=WRITTEN, conclusions=False)
    Report(facts).write(tmp_path / "a.pdf")
    words = read_words(tmp_path / "a.pdf")
    for phrase in (
        "This section is the author’s own (Ada), which lenetcli has neither computed nor checked.",
        'and the course (https://example.org/a_b#c); #eval("1") $x$ <b>. A [curve] * and https://example.org.',
        "3. three",
        "4. four",
        "if x: #let",
        "rate note 0.1 good",
        "[bad](javascript:alert)",
    ):
        assert phrase in words
    assert "works best" not in words
    assert facts.learning_rates.table.caption[:30] in words
    document = read_document(tmp_path / "a.pdf")
    assert document.annotations == 0
    assert verify(evidence, document, "a.pdf").outcome is Outcome.AGREES


@settings(max_examples=15)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80), st.sampled_from("-`*#>|\n[")
)
def test_any_interpretation_can_be_set(text, mark):
    pages = PdfReader(BytesIO(make(SMALL, interpretation=f"{mark} {text}{mark}").pdf())).pages
    assert "Interpretation" in "".join(page.extract_text() for page in pages)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no file"),
        (b" \n", "empty"),
        (b"\xff\xfe", "UTF-8"),
        (b"a" * 100_001, "more than"),
        (b"\0", "text"),
    ],
)
def test_a_file_that_is_no_interpretation_is_an_error(tmp_path, content, said):
    path = tmp_path / "own.md"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        read_interpretation(path)
