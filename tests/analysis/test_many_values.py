"""Sentences on sweeps of 200 learning rates: none is long, and the numbers of those not named are true."""

import re

import numpy as np
import pytest
from helpers.brute_rates import TrueRates
from helpers.made_up import MadeUpEvidence, filters_sweep, make_cell, make_sweep
from helpers.random_stores import SHAPES, RandomStore, draw_labels, make_curve

from lenetcli.analysis.conclusions import conclude_learning_rates
from lenetcli.analysis.costs import conclude_runtimes
from lenetcli.analysis.ranking import rank
from lenetcli.analysis.runtimes import runtime_series
from lenetcli.experiment.config import DeviceKind
from lenetcli.experiment.run import RunState
from lenetcli.output.report.contents import gather

COUNT, IMAGES = 200, 2000
LONGEST = 700
"""The largest number of characters of a statement; that on the pace of many curves has the most."""


def make_store(seed, shapes, seeds=1, epochs=8, holes=0.0):
    """A store of 200 learning rates whose curves have any of these shapes, some of them not finished."""
    rng = np.random.default_rng(seed)
    guessing = draw_labels(IMAGES, 0.1, seed)
    guessing = max(map(guessing.count, set(guessing))) / IMAGES
    cells = []
    for place in range(COUNT):
        rate = float(f"{1e-4 * 1e4 ** (place / (COUNT - 1)):.4g}")
        top, pace = rng.choice([0.99, 0.985, 0.97, 0.9]), rng.choice([0.3, 2.0, 6.0])
        mean = make_curve(rng, rng.choice(shapes), epochs, guessing, top, pace)
        for number in range(seeds):
            curve = np.clip(mean + 0.002 * rng.standard_normal(epochs), 0, 1)
            curve = [round(accuracy * IMAGES) / IMAGES for accuracy in curve]
            fate = rng.choice(["done", "never", "diverged"], p=[1 - 2 * holes, holes, holes])
            if fate == "diverged":
                state = {"state": RunState.DIVERGED, "target": epochs}
                cells.append(make_cell("lr", rate, curve[: rng.integers(epochs)], seed=number, **state))
            else:
                cells.append(make_cell("lr", rate, None if fate == "never" else curve, seed=number))
    return RandomStore([make_sweep("lr", epochs, cells)], images=IMAGES, seed=seed)


def find_true(true):
    """The rates of which each statement is true, by topic; then those with which it may be."""
    ended = {
        rate: {run.config.seed for run in (*true.whole[rate], *true.diverged[rate])} for rate in true.rates
    }
    found = {
        "diverged": {r for r in true.rates if true.diverged[r]},
        "missing": {r for r in true.rates if len(ended[r]) < len(true.all_seeds)},
    }
    if not true.ranked:
        return found, found
    first = true.ranked[0]
    found |= {
        "level": {r for r in true.ranked if not true.rises(r) and not true.guesses(r)},
        "not converged": {r for r in true.ranked if true.rises(r)},
        "guessing": {r for r in true.ranked if true.guesses(r)},
        "speed": true.slow(first),
        "falls": {r for r, falls in true.falls.items() if falls and not true.guesses(r)},
    }
    verdicts = {rate: sets for rate, (*_, sets) in true.leads(first).items()}
    names = {"lead in every seed": "apart", "undecided": "undecided"}
    certain = {topic: {r for r, sets in verdicts.items() if sets == {name}} for topic, name in names.items()}
    possible = {topic: {r for r, sets in verdicts.items() if name in sets} for topic, name in names.items()}
    return found | certain, found | possible


STORES = {
    "of all shapes": {"shapes": SHAPES},
    "alike": {"shapes": ("learned", "flat")},
    "rising": {"shapes": ("slow", "learned")},
    "guessing": {"shapes": ("guess", "late")},
    "falling": {"shapes": ("dip", "collapse", "fall")},
    "noise": {"shapes": ("noise",)},
    "several seeds": {"shapes": SHAPES, "seeds": 3},
    "with holes": {"shapes": SHAPES, "holes": 0.2},
    "seeds with holes": {"shapes": ("learned", "slow"), "seeds": 2, "holes": 0.05},
}


@pytest.mark.parametrize("options", STORES.values(), ids=STORES)
def test_sentences_on_many_rates_are_short_and_count_what_they_do_not_name(options):
    store = make_store(1, **options)
    (sweep,) = store.made
    statements = [one for part in conclude_learning_rates(sweep, rank(sweep, store)) for one in part]
    certain, possible = find_true(TrueRates(sweep, store))
    counted = 0
    for one in statements:
        assert len(one.text) <= LONGEST, one.text
        if one.topic in certain:
            named = len(certain[one.topic]), len(possible[one.topic])
            rest = re.search(r"(?:and|or)(?: at)? ([\d,]+) more\b", one.text)
            counted += bool(rest)
            assert named[0] <= 6 if rest is None else named[0] <= 5 + int(rest[1]) <= named[1], one.text
        if one.topic in ("level", "not converged", "guessing"):
            rates = {run.config.lr for run in sweep.runs if run.id in one.runs}
            assert rates == possible[one.topic]
        if one.topic == "undecided" and one.command:
            typed = re.search(r"sweep lr ([^-]+) --", one.command)[1].split()
            assert len(typed) == 1 + sum(name.startswith("lead over") for name in one.numbers)
    assert counted


def test_a_report_of_many_values_has_short_texts_and_all_numbers():
    store = make_store(5, SHAPES, holes=0.1)
    seconds = {size: 0.5 + size**1.5 / 100 for size in range(1, COUNT + 1)}
    devices = [filters_sweep(kind, seconds, device_name=kind.value) for kind in DeviceKind]
    busy = filters_sweep(DeviceKind.CPU, seconds, contended=True)
    facts = gather(MadeUpEvidence([*store.made, *devices], images=IMAGES))
    for section in (facts.learning_rates, facts.filters):
        texts = [section.figure.caption, section.table.caption]
        parts = (section.introduction, *section.paragraphs, section.missing)
        statements = [one for part in parts for one in part]
        assert max(map(len, [*texts, *(one.text for one in statements)])) <= LONGEST
    found = {one.topic: one for part in facts.filters.paragraphs for one in part}
    assert re.search(
        r"from [\d.]+ \(\d+ filters?\) to [\d.]+ \(\d+ filters?\), over 200 sizes", found["speed-up"].text
    )
    assert len(found["speed-up"].numbers) == COUNT and len(found["speed-up"].runs) == 2 * COUNT
    (doubt,) = [
        one for part in conclude_runtimes(runtime_series([busy])) for one in part if one.topic == "doubt"
    ]
    assert len(doubt.text) < 300 and len(doubt.runs) == COUNT
