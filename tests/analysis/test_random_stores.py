"""Every sentence of reports of random stores, against a look at the facts that shares no code with them.

300 stores, and 5 as a PDF; with LENETCLI_LONG=1, 10,000 and 300.
"""

import math
import os
import re
from contextlib import contextmanager
from io import BytesIO

from helpers.random_stores import random_stores
from helpers.rate_look import RateLook
from helpers.runtime_look import RuntimeLook
from hypothesis import HealthCheck, Phase, assume, given, settings
from pypdf import PdfReader

from lenetcli.output.report.contents import gather
from lenetcli.output.report.report import Report

LONG = os.environ.get("LENETCLI_LONG") == "1"
NO_NUMBER = re.compile(r"\b(?:[Nn]a[Nn]|inf|None)\b")


def example_settings(short, long, *phases):
    return settings(
        max_examples=long if LONG else short,
        derandomize=True,
        database=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )


def has_result(parameter, run):
    """Whether there is something to report of a run: an epoch, of a sweep over filters one with a time."""
    timings = [timing for attempt in run.attempts for timing in attempt.timings]
    is_timed = any(timing.train_seconds > 0 and not timing.clock_set for timing in timings)
    return is_timed if parameter == "filters" else bool(run.curve)


def gather_facts(store):
    rows = [(name, sweep.slice(name)) for sweep in store.made for name in ("lr", "filters")]
    assume(any(has_result(name, run) for name, row in rows if row for run in row.runs))
    return gather(store)


def list_statements(section):
    return [one for part in (section.introduction, *section.paragraphs, section.missing) for one in part]


@contextmanager
def naming(statement):
    """Name the statement in the report of a failure."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"of: {statement.text}")
        raise


def check_form(section):
    """No empty paragraph, and no number that is none."""
    assert all(section.paragraphs)
    cells = [cell for row in section.table.rows for cell in row] if section.table else []
    captions = [part.caption for part in (section.figure, section.table) if part]
    texts = [one.text for one in (*list_statements(section), *cells)] + captions
    for text in texts:
        assert text.strip() and not NO_NUMBER.search(text), text
    numbers = [number for one in (*list_statements(section), *cells) for number in one.numbers.values()]
    assert all(map(math.isfinite, numbers))


@example_settings(300, 10_000, Phase.generate, Phase.shrink)
@given(random_stores())
def test_every_sentence_is_true_and_no_two_exclude_each_other(store):
    facts = gather_facts(store)
    rates = [row for sweep in store.made if (row := sweep.slice("lr"))]
    has_rates = facts.learning_rates.figure is not None
    assert has_rates == any(run.curve for sweep in rates for run in sweep.runs)
    looks = [(facts.filters, RuntimeLook([s for s in store.made if s.parameter == "filters"]))]
    if has_rates:
        looks.append((facts.learning_rates, RateLook(rates[0], store)))
    if facts.grid:
        check_form(facts.grid)
    for section, look in looks:
        check_form(section)
        for statement in list_statements(section):
            with naming(statement):
                look.look(statement)
        look.look_at_pairs()


def squeeze(text):
    """A text without blanks and hyphens, which a line break may add."""
    return re.sub(r"[\s\u00ad\u2010-]+", "", text)


@example_settings(5, 300, Phase.generate)
@given(random_stores(whole=True))
def test_a_pdf_has_every_sentence_on_at_most_two_pages(store):
    facts = gather_facts(store)
    pages = PdfReader(BytesIO(Report(facts).pdf())).pages
    texts = [page.extract_text().removesuffix(str(number)) for number, page in enumerate(pages, 1)]
    text = squeeze("".join(texts))
    for section in (facts.learning_rates, facts.filters):
        for statement in list_statements(section):
            assert squeeze(statement.text) in text
            assert squeeze(statement.command) in text
        for row in section.table.rows if section.table else ():
            assert all(squeeze(cell.text) in text for cell in row)
    if all(len(sweep.values) <= 4 for sweep in store.made):
        assert len(pages) <= 2
