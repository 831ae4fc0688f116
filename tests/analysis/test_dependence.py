"""What a grid shows: which combination leads, and whether the best value depends on the other parameters."""

import itertools

import pytest
from helpers.made_up import MadeUpEvidence
from helpers.report_grids import grid_sweep

from lenetcli.analysis.dependence import conclude_grid
from lenetcli.analysis.ranking import rank
from lenetcli.experiment.run import RunState

AXES = {"lr": (0.1, 0.01), "filters": (8, 16)}
DIVERGED = {"state": RunState.DIVERGED, "epochs": 2}


def conclude(axes, finals, **options):
    sweep = grid_sweep(axes, finals, **({"seeds": 3} | options))
    paragraphs = conclude_grid(sweep, rank(sweep, MadeUpEvidence([sweep])))
    return {statement.topic: statement for paragraph in paragraphs for statement in paragraph}


def square(*finals):
    """The accuracies of ``AXES``: of 0.1 with 8 and 16 filters, then of 0.01."""
    return {p: f for p, f in zip(itertools.product(*AXES.values()), finals, strict=True) if f is not None}


def test_the_combination_that_leads_is_named_with_its_lead():
    found = conclude(AXES, square(0.95, 0.92, 0.90, 0.965))
    assert found["best"].text == (
        "Of the 4 combinations of learning rate and filters, 0.01 with 16 filters works best: after 6 epochs "
        "it reaches a validation accuracy of 0.9650 (mean over 3 seeds)."
    )
    assert found["lead"].text.startswith("It is ahead of 0.1 with 8 filters by 0.0150 (95% interval ")
    assert found["lead"].text.endswith(
        "; its lead over 0.1 with 16 filters and 0.01 with 8 filters is larger."
    )
    assert found["lead"].numbers["lead over 0.01 with 8 filters"] == pytest.approx(0.065)


def test_a_best_rate_that_changes_is_said_to_depend_with_both_leads():
    found = conclude(AXES, square(0.95, 0.92, 0.90, 0.965))
    assert found["dependence"].text.startswith(
        "The best learning rate depends on the filters: with 8 filters 0.1 is ahead of 0.01 by 0.0500 (95% "
    )
    assert "; with 16 filters 0.01 is ahead of 0.1 by 0.0450 (" in found["dependence"].text
    assert found["dependence"].numbers == {"lead 8 filters": 0.05, "lead 16 filters": 0.045}
    assert len(found["dependence"].runs) == 12


def test_the_same_best_rate_everywhere_does_not_depend():
    found = conclude(AXES, square(0.95, 0.96, 0.90, 0.91))
    assert found["no dependence"].text == (
        "The best learning rate does not depend on the filters here: 0.1 is ahead of every other with "
        "8 filters and with 16 filters."
    )


@pytest.mark.parametrize(
    ("finals", "reason"),
    [
        ((0.95, 0.95, 0.90, 0.9499), "everywhere, but is not clearly ahead with 16 filters."),
        ((0.95, 0.9499, 0.90, 0.95), "0.01 with 16 filters, and these leads are not all clear."),
        ((0.95, 0.95, 0.9499, 0.9499), "everywhere, but is nowhere clearly ahead."),
    ],
)
def test_where_a_row_does_not_tell_it_is_said_that_it_cannot_be_told(finals, reason):
    found = conclude(AXES, square(*finals), spread=0.003)
    text = found["dependence unknown"].text
    assert text.startswith("Whether the best learning rate depends on the filters cannot be told: ")
    assert text.endswith(reason)
    assert not found.keys() & {"dependence", "no dependence"}


def test_nothing_is_said_while_a_combination_is_unfinished():
    found = conclude(AXES, square(0.95, 0.96, 0.90, None))
    assert not any("depend" in topic for topic in found)
    assert found["missing"].text == (
        "Not finished on the CPU and not compared: 0.01 with 16 filters (seeds 0, 1 and 2)."
    )
    assert found["missing"].command == "lenetcli sweep lr 0.1 0.01 filters 8 16 --epochs 6 --seeds 3"
    assert found["best"].text.startswith(
        "Of the 3 combinations of learning rate and filters that can be compared, 0.1 with 16 filters works"
    )


def test_a_rate_that_leads_in_one_row_and_diverges_in_another_is_a_dependence():
    found = conclude(AXES, square(0.95, (0.5, DIVERGED), 0.90, 0.91))
    assert found["dependence"].text.endswith("; with 16 filters 0.1 diverged.")
    other = conclude(AXES, square(0.95, 0.96, 0.90, (0.5, DIVERGED)))
    assert other["no dependence"].text.endswith(
        "0.1 is ahead of every other that has not diverged with 8 filters and with 16 filters."
    )


def test_one_row_says_nothing_of_dependence():
    assert not any("depend" in topic for topic in conclude(AXES | {"filters": (8,)}, square(0.9, 0, 0.8, 0)))
    found = conclude(AXES | {"lr": (0.1,)}, square(0.9, 0.8, 0, 0))
    assert not any("depend" in topic for topic in found)


def test_networks_that_guess_tell_nothing():
    found = conclude(AXES, square(0.1, 0.1, 0.1, 0.1), spread=0)
    assert set(found) == {"none"}
    assert found["none"].text.startswith(
        "Of the 4 combinations of learning rate and filters, none is clearly"
    )


def test_without_learning_rates_it_is_about_the_first_parameter():
    axes = {"momentum": (0.0, 0.9), "batch_size": (32, 64)}
    found = conclude(axes, dict(zip(itertools.product(*axes.values()), (0.9, 0.91, 0.95, 0.96), strict=True)))
    assert found["no dependence"].text.startswith(
        "The best value of momentum does not depend on the batch size here: momentum 0.9 is ahead of every"
    )


def test_long_lists_are_cut_and_rows_counted():
    axes = {"lr": (0.1, 0.01, 0.001), "filters": (8, 16), "batch_size": (32, 64)}
    points = list(itertools.product(*axes.values()))
    found = conclude(axes, {point: 0.98 - 0.01 * place for place, point in enumerate(points)})
    assert "0.1 with 8 filters at batch 32 works best" in found["best"].text
    assert found["lead"].text.endswith("; its lead over the 10 others is larger.")
    assert found["no dependence"].text == (
        "The best learning rate does not depend on the other parameters here: 0.1 is ahead of every other "
        "with each of the 4 combinations tried."
    )
    some = conclude(axes, dict.fromkeys(points[:3], 0.9) | {points[3]: (0.9, DIVERGED)})
    assert some["missing"].text.endswith(", 0.001 with 8 filters at batch 32 (seeds 0, 1 and 2) and 3 more.")
