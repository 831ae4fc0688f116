"""Sentences that random stores found to be false, each with the smallest curves that showed it."""

from dataclasses import replace

import pytest
from helpers.made_up import BASE, conclude, make_cell, make_sweep, rates_sweep

from lenetcli.analysis.costs import conclude_runtimes
from lenetcli.analysis.runtimes import runtime_series
from lenetcli.experiment.architecture import count_parameters
from lenetcli.words import write_number


def test_learning_rates_with_the_same_accuracy_have_the_highest_together():
    found = conclude(rates_sweep({0.1: [0.4, 0.6], 0.01: [0.5, 0.6], 0.001: [0.1, 0.2]}), images=100)
    assert found["highest"].text.startswith("0.1 and 0.01 have the highest validation accuracy")
    assert found["best epoch"].text == "At their best epochs 0.1 and 0.01 reach the same, 0.6000."
    higher = conclude(rates_sweep({0.1: [0.4, 0.6], 0.01: [0.5, 0.59]}), images=100)
    assert higher["highest"].text.startswith("0.1 has the highest")
    assert "gives the same answer: 0.6000, against at most 0.5900" in higher["best epoch"].text


@pytest.mark.parametrize(("third", "words"), [(0.5, "is as large or larger."), (0.4999, "is larger.")])
def test_a_rate_as_far_behind_as_the_nearest_is_not_behind_by_more(third, words):
    text = conclude(rates_sweep({0.1: [0.98], 0.01: [0.5], 0.001: [third]}))["lead"].text
    assert text.endswith(f"its lead over 0.001 {words}")


def test_a_rate_that_works_best_with_another_is_no_other_winner_at_its_best_epoch():
    alike = conclude(rates_sweep({0.1: [0.98, 0.9801], 0.01: [0.985, 0.98]}))
    assert alike["winners differ"].text.startswith("The best epoch puts 0.01 first of these: ")
    other = conclude(rates_sweep({0.1: [0.98, 0.9801], 0.01: [0.985, 0.9]}))
    assert other["winners differ"].text.startswith("The best epoch names another winner, 0.01: ")


def test_a_curve_that_stands_still_at_the_end_does_not_rise_still():
    """Its gain was one step in the middle of the window; it was said not to shrink, to −0.0004."""
    step = [0.93, 0.931, 0.978, 0.979, 0.978]
    found = conclude(rates_sweep({0.1: step, 0.01: [0.1, 0.2, 0.3, 0.4, 0.5]}, seeds=3, spread=0.0))
    assert found["level"].text.startswith("0.1 shows no clear rise")
    assert found["not converged"].text.startswith("0.01 has not converged")


def test_a_gain_that_shrinks_by_less_than_its_digits_does_not_shrink():
    """Of the same gains in both halves, one is larger by a rounding error."""
    curve = [0.65, 0.66, 0.67, 0.68, 0.68, 0.69, 0.7]
    pace = conclude(rates_sweep({0.1: [0.9] * 12, 0.01: [*[0.64] * 5, *curve]}))["pace"].text
    assert pace == (
        "From epochs 7–9 to epochs 10–12 the gain an epoch does not shrink at 0.01 (from 0.0100 to 0.0100)."
    )


@pytest.mark.parametrize(("slow", "reason"), [(True, False), (False, True)])
def test_steps_that_are_too_small_are_not_too_large(slow, reason):
    rising = [0.1, 0.2, 0.18, 0.3, 0.4, 0.5, 0.6] if slow else [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    found = conclude(rates_sweep({0.1: [0.9, 0.95, 0.9, 0.95, 0.95, 0.95, 0.95], 0.01: rising}))
    assert "steps are 10 times smaller" in found["small steps"].text
    assert ("at 0.01" in found["falls"].text) == slow
    assert ("lead past the minimum" in found["falls"].text) == reason


def test_as_many_seeds_as_there_are_would_not_tell():
    """Seeds that agree to the digit, on images of an unknown number."""
    options = {"with_labels": False, "with_predictions": False}
    curves = {0.1: [0.9], 0.01: [0.9]}
    for seeds, needed in ((2, 3), (3, 4), (10, 11)):
        found = conclude(rates_sweep(curves, seeds=seeds, spread=0.0), **options)["undecided"]
        assert f"; {needed} seeds would probably tell." in found.text
        assert found.command.endswith(f"--seeds {needed}")


def test_a_rate_that_has_learned_is_not_said_to_guess():
    """All of three images are above guessing after the last epoch, but not if fifty chances are counted."""
    found = conclude(rates_sweep({0.1: [1.0] * 5, 0.01: [0.0] * 5}, seeds=10, spread=0.0), images=3)
    assert found["guessing"].text.startswith("0.01 is never clearly above guessing")
    assert found["highest" if "highest" in found else "best"].text.startswith("0.1 ")


@pytest.mark.parametrize(("number", "text"), [(3.97e-6, "0.00000397"), (12.0, "12"), (0.01234, "0.0123")])
def test_small_ratios_have_no_exponent(number, text):
    assert write_number(number) == text


@pytest.mark.parametrize("sizes", [(2, 8, 16), (8, 256)])
def test_a_runtime_with_the_digits_of_the_parameters_grows_neither_faster_nor_more_slowly(sizes):
    """Without a spread, a rounding error decided."""
    times = {size: count_parameters(replace(BASE, filters=size)) / 1e6 * 0.3 for size in sizes}
    cells = [make_cell("filters", size, [0.9] * 5, seconds=[time] * 5) for size, time in times.items()]
    paragraphs = conclude_runtimes(runtime_series([make_sweep("filters", 5, cells)]))
    (text,) = [one.text for part in paragraphs for one in part if one.topic == "growth"]
    assert "whether it grows faster than they do, the spread of the times hides" in text
