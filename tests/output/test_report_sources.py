"""The report as Markdown and as LaTeX: what it says, the files that it has, and that no text is markup."""

import re
import shutil
import subprocess
import unicodedata
from html import unescape
from pathlib import Path

import pytest
from helpers.command import PATIENCE
from helpers.made_up import MadeUpEvidence, both_sweeps, filters_sweep, rates_sweep
from helpers.report_grids import grid_sweep
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from pypdf import PdfReader

from lenetcli.errors import UsageError
from lenetcli.experiment.config import DeviceKind
from lenetcli.output.report.contents import gather
from lenetcli.output.report.latex import write_latex
from lenetcli.output.report.latex_texts import COMMANDS, SET, SYMBOLS, escape, write_code
from lenetcli.output.report.markdown import escape as escape_markdown
from lenetcli.output.report.markdown import write_markdown
from lenetcli.output.report.outline import Prose, clean, outline
from lenetcli.output.report.report import Report

HOSTILE = r"Ada #1 $x$ _y_ *z* <<b>> [c] \ ` \" ' --- ~ ^ {d} 100% & é Zürich ± × − → … ≥ η,, ?` |"
WRITTEN = r"""# What I *see* #1

The rate **0.1** is *best*, see `lenetcli plot --log` and [the course](https://example.org/a_b#c); 100% & $x$\
[after] a break, "quoted" -- it's η ≥ 3 \\ {x}.

7. seven
   - [ ] todo
     - a
       - b
         > c
         - d
           - e
8. eight

>

> # (only)

```
  if x:
      \end{quote} -- %

[y]
```

| (rate) | note |
| ---: | --- |
| *0.1* | good \| bad |
| [0] | `--x` |

---
"""
ENGINES = ("pdflatex", "xelatex", "lualatex")
WORDS = {
    **{command: letter for letter, command in COMMANDS.items()},
    **{rf"\ensuremath{{\{command}}}": letter for letter, command in SYMBOLS.items()},
    **{r"\/": "", r"\allowbreak{}": ""},
}
"""The text for which each command of a text in LaTeX stands."""
TOKEN = re.compile("|".join(re.escape(command) for command in sorted(WORDS, key=len, reverse=True)))
RATES, DEVICES = rates_sweep(seeds=3), both_sweeps()
GRID = grid_sweep(
    {"lr": (0.1, 0.01), "filters": (8, 16), "batch_size": (32, 64)},
    {(rate, size, batch): 0.9 for rate in (0.1, 0.01) for size in (8, 16) for batch in (32, 64)},
)
MANY = rates_sweep({round(0.0005 * n, 4): [0.5, 0.6 + 0.001 * n] for n in range(1, 61)})
FACTS = {
    "exercise": gather(MadeUpEvidence([RATES, *DEVICES]), author=HOSTILE),
    "grid": gather(MadeUpEvidence([RATES, GRID]), interpretation="My **own**."),
    "many rates": gather(MadeUpEvidence([MANY])),
    "no conclusions": gather(MadeUpEvidence([RATES]), interpretation="My **own**.", conclusions=False),
}


def squeeze(text):
    """A text without blanks, and without hyphens, which the end of a line may have."""
    return "".join(one for one in text if not one.isspace() and one not in "-\u00ad\u200b")


def read_latex(source):
    """The text of a source: what is left of it without commands."""
    body = source.split(r"\maketitle")[1]
    body = re.sub(r"\\(begin|end|setlength|rule)\{[^}]*\}(\{[^}]*\})?|\[!htbp\]|\\\\\*?(?=\n)| & ", " ", body)
    text = TOKEN.sub(lambda found: WORDS[found[0]].translate({123: 2, 125: 3, 92: 4}), body)
    text = re.sub(r"\\[a-zA-Z]+\*?|[{}]", "", text)
    return text.translate({2: "{", 3: "}", 4: "\\"})


def read_markdown(source):
    """The text of a source: that of its HTML without tags."""
    html = MarkdownIt("commonmark").enable("table").render(source)
    return unescape(re.sub("<[^>]*>", "", html))


def read_pages(path):
    """The text of a PDF without the numbers of its pages."""
    pages = enumerate(PdfReader(path).pages, 1)
    return " ".join(page.extract_text().removesuffix(str(number)) for number, page in pages)


def stands_in(text, pages):
    """Whether a text stands in pages, as a whole or where a page ends in two parts."""
    return any(text[:place] in pages and text[place:] in pages for place in range(len(text), 0, -1))


def texts(facts):
    """All that facts state in words, in sentences, captions and rows of tables."""
    yield from (text for pair in facts.setup for text in pair)
    for section in filter(None, (facts.learning_rates, facts.filters, facts.grid)):
        yield section.title
        shown = (section.introduction, *section.paragraphs) if facts.options.conclusions else ()
        for statement in (one for paragraph in (*shown, section.missing) for one in paragraph):
            yield statement.text + (f" {statement.purpose} {statement.command}." if statement.command else "")
        if section.figure:
            yield section.figure.caption
        if section.table:
            yield section.table.caption
            yield from ("".join(cell.text for cell in row) for row in section.table.rows)
    yield from ("".join(cell.text for cell in row) for row in facts.sweeps.rows)
    yield from ("".join(run.row) for run in facts.runs)


@pytest.fixture(scope="module", params=FACTS)
def written(request, tmp_path_factory):
    """Facts, and the text of each form of their report, squeezed."""
    facts, folder = FACTS[request.param], tmp_path_factory.mktemp("report")
    for kind in ("pdf", "md", "tex"):
        Report(facts).write(folder / f"a.{kind}")
    return facts, {
        "pdf": squeeze(read_pages(folder / "a.pdf")),
        "md": squeeze(read_markdown((folder / "a.md").read_text("utf-8"))),
        "tex": squeeze(read_latex((folder / "a.tex").read_text("utf-8"))),
    }


@pytest.mark.parametrize("kind", ["md", "tex"])
def test_a_source_says_what_the_facts_state(written, kind):
    facts, said = written
    assert [text for text in texts(facts) if squeeze(text) not in said[kind]] == []
    assert facts.options.conclusions == ("works best" in " ".join(texts(facts)))
    assert bool(facts.options.interpretation) == (squeeze("My own.") in said[kind])


def test_what_the_outline_says_stands_in_the_pdf(written):
    facts, said = written
    for block in outline(facts, "a_figures"):
        if isinstance(block, Prose):
            text = "".join(span.text for span in block.spans)
            # Where the facts are is another place.
            told = re.sub("Made by.*|The facts are.*", "", text)
            assert squeeze(told) in said["pdf"]


def test_the_table_of_runs_has_a_column_for_each_setting_that_differs():
    source = write_latex(FACTS["grid"], "x")
    assert "run & rate & F & seed & on & ep. & accuracy & runtime & batch \\\\\n" in source
    assert "in seconds, batch size." in " ".join(source.split())


def test_numbers_stand_at_the_right_and_words_at_the_left():
    source = write_latex(FACTS["exercise"], "x")
    assert re.findall(r"\\begin{longtable}{(.*)}", source) == ["rrrrrrrl", "rrrr", "lllrrll", "lrrrlrrr"]
    rules = [line for line in write_markdown(FACTS["exercise"], "x").splitlines() if line.startswith("| -")]
    assert rules[0] == f"|{' ---: |' * 7} --- |"


def test_a_long_table_shows_an_excerpt_and_flows_with_its_header_over_pages():
    source = write_latex(FACTS["many rates"], "x")
    assert source.count("\n0.0005 & ") == 2
    assert source.count("\n0.0015 & ") == 1
    assert source.count(r"\endhead") == source.count(r"\begin{longtable}") == 4
    assert source.count(r"\endfirsthead") == 1
    assert source.count("\\\\*\n") == 11  # no page ends within the excerpt


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("md", ["facts.json", "learning_rates.png", "runtime.png"]),
        ("tex", ["facts.json", "learning_rates.pdf", "runtime.pdf"]),
    ],
)
def test_figures_lie_beside_a_source_and_the_same_facts_give_the_same_bytes(tmp_path, kind, names):
    path, report = tmp_path / f"my report #1.{kind}", Report(FACTS["exercise"])
    folder = "my report #1_figures" if kind == "md" else "my-report--1_figures"
    assert report.write(path) == f"Wrote {path}; its figures are in {tmp_path / folder}"
    files = [path, *sorted((tmp_path / folder).iterdir())]
    assert [file.name for file in files[1:]] == names
    source = path.read_text("utf-8")
    assert all(f"/{Path(name).name}" in source for name in names)
    before = [file.read_bytes() for file in files]
    assert "in place of the file that was there" in report.write(path)
    assert [file.read_bytes() for file in files] == before


@pytest.mark.parametrize("kind", ["md", "tex", "typ"])
def test_all_files_of_a_source_are_written_or_none(tmp_path, kind):
    ending = {"md": "png", "tex": "pdf", "typ": "svg"}[kind]
    folder = tmp_path / "a_figures"
    (folder / f"runtime.{ending}").mkdir(parents=True)
    (folder / f"learning_rates.{ending}").write_text("old")
    with pytest.raises(UsageError, match="runtime"):
        Report(FACTS["exercise"]).write(tmp_path / f"a.{kind}")
    assert (folder / f"learning_rates.{ending}").read_text() == "old"
    left = sorted(path.name for path in tmp_path.rglob("*"))
    assert left == ["a_figures", f"learning_rates.{ending}", f"runtime.{ending}"]


# No text is markup


@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=40))
@example("1. a")
@example(" 1)")
@example("- a")
def test_a_text_in_markdown_is_never_markup(text):
    plain = " ".join(text.split())
    rendered = MarkdownIt("commonmark").render(f"# {escape_markdown(text)}")
    assert unescape(rendered.strip().removeprefix("<h1>").removesuffix("</h1>")) == plain
    table = MarkdownIt().enable("table").render(f"| a |\n| --- |\n| {escape_markdown(text)} |")
    (row,) = re.findall("<td>(.*)</td>", table)
    assert unescape(row) == plain
    if plain:
        paragraph = MarkdownIt("commonmark").render(escape_markdown(text))
        assert unescape(paragraph.strip().removeprefix("<p>").removesuffix("</p>")) == plain


@pytest.mark.parametrize("text", ["~~~~ py\nx", "<!-- a", "a\n\n<pre>\nx", "<?x", "<![CDATA[", "- ```\n  x"])
def test_what_an_interpretation_leaves_open_does_not_swallow_what_follows(text):
    source = write_markdown(gather(MadeUpEvidence([RATES]), interpretation=text), "x")
    assert text in source
    assert "<h2>Reproducibility</h2>" in MarkdownIt("commonmark").render(source)


@given(st.text(max_size=60) | st.text("\\{}[]&%$#_~^\"'`<>,-*η≥ab \t\xa0", max_size=60))
@example(HOSTILE)
def test_a_text_in_latex_is_never_markup_and_can_be_read_back(text):
    source = escape(text)
    plain = unicodedata.normalize("NFC", clean(text))
    assert TOKEN.sub(lambda found: WORDS[found[0]], source) == plain
    left = TOKEN.sub("\0", source)
    assert not set(left) & set("\\{}[]&%$#_~^\"'`*\n")
    assert not re.search("--|,,|<<|>>", left)  # fonts join these
    assert max(map(len, left.split()), default=0) < 40 or "\0" in left
    code = write_code(text)
    assert code.startswith(r"\texttt{")
    assert squeeze(read_latex(rf"\maketitle {code}")) == squeeze(plain)


def test_letters_that_pdflatex_cannot_set_are_named_and_have_numbers_in_their_place(tmp_path):
    report = Report(gather(MadeUpEvidence([RATES]), title="学习 η, Größe", author="кот"))
    assert report.describe_unset(tmp_path / "a.tex") == [
        "pdflatex cannot set 5 letters 学习кот (Chinese, Cyrillic), and puts numbers in their place. "
        "Compile it with xelatex, which needs a font that has them."
    ]
    source = write_latex(report.facts, "x")
    assert r"\lacks{5B66} \lacks{4E60} \lacks{043A} \lacks{043E} \lacks{0442}" in source
    assert r"\title{学习 \ensuremath{\eta}, Größe}" in source
    assert r"\setmainfont{Noto Serif CJK SC}" in source
    plain = Report(FACTS["exercise"])
    assert plain.describe_unset(tmp_path / "a.tex") == []
    assert "setmainfont" not in write_latex(plain.facts, "x")


# Where there is a TeX


@pytest.fixture(params=ENGINES)
def compile_latex(request, tmp_path):
    """A function that compiles facts and returns the text of the pages."""
    engine = shutil.which(request.param)
    if engine is None or shutil.which("kpsewhich") is None:
        pytest.skip(f"there is no {request.param} here")

    def compile_facts(facts):
        Report(facts).write(tmp_path / "a.tex")
        for _ in range(2):
            command = [engine, "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=PATIENCE)
            assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
        log = (tmp_path / "a.log").read_text("utf-8", errors="replace")
        assert not re.findall(r"Overfull \\hbox.*|Missing character.*|^!.*", log, re.MULTILINE)
        return read_pages(tmp_path / "a.pdf")

    return compile_facts


def test_latex_compiles_to_the_same_text(compile_latex):
    evidence = MadeUpEvidence([RATES, *DEVICES, GRID])
    facts = gather(evidence, title="W" * 150, author=HOSTILE, interpretation=WRITTEN)
    said = squeeze(compile_latex(facts))
    # Which letters stand for ligatures and symbols is the matter of the reader of the pages.
    plain = [squeeze(text) for text in texts(facts) if re.fullmatch("[ -~]*", text)]
    assert len(plain) > 30
    assert [text for text in plain if not stands_in(text, said)] == []
    for text in (
        r"[ ] todo",
        "7. seven",
        r"\end{quote} -- %",
        "[y]",
        "good | bad",
        "[0]--x",
        "(rate)",
        "(only)",
        "100% & $x$",
    ):
        assert squeeze(text) in said


def test_latex_with_wide_tables_and_many_letters_compiles(compile_latex):
    name = "A graphics processor with a very long name, 80 GB of HBM3 memory"
    sweeps = [filters_sweep(DeviceKind.GPU, {8: 1.0, 16: 2.0}, device_name=f"{name} {n}") for n in range(4)]
    letters = [chr(n) for n in range(0xA1, 0x2500) if SET.fullmatch(chr(n))]
    written = "\n\n".join(f"{one} **{one}** *{one}* `{one}`" for one in (*letters, *SYMBOLS, "−"))
    said = compile_latex(gather(MadeUpEvidence(sweeps), interpretation=written))
    assert all(letter in said for letter in "ÄéßŁőŹ")
