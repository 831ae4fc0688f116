"""A run as a request for fewer epochs sees it."""

from dataclasses import replace

from helpers.made_up import RATES, make_run

from lenetcli.experiment.run import RunState

TESTED = 0.97


def went_on():
    """A run of five epochs that another machine trained to ten, and that a third one measured again."""
    run = make_run(accuracies=RATES[0.1], target=10)
    (first,) = run.attempts
    points = [replace(point, test_accuracy=TESTED if point.epoch == 5 else None) for point in run.curve]
    attempts = (
        replace(first, timings=first.timings[:5]),
        replace(first, number=2, host="crashed", timings=()),
        replace(first, number=3, host="further", device_name="Another CPU", timings=first.timings[5:]),
        replace(first, number=4, host="again", remeasure=True, timings=first.timings[5:]),
        replace(first, number=5, host="in hand", remeasure=True, timings=first.timings[:2]),
    )
    return replace(run, curve=tuple(points), attempts=attempts, completed_epochs=10)


def test_a_view_is_cut_in_all_its_fields():
    run = went_on()
    assert run.device_name == "Another CPU"
    view = run.at(5)
    assert (view.epochs, view.target_epochs, view.completed_epochs) == (5, 5, 5)
    assert (view.state, view.device_name, view.test_accuracy) == (RunState.COMPLETED, "AMD EPYC 9654", TESTED)
    assert [attempt.number for attempt in view.attempts] == [1, 2, 5]
    assert {timing.epoch for attempt in view.attempts for timing in attempt.timings} == {1, 2, 3, 4, 5}
    before = make_run(accuracies=RATES[0.1][:5])
    assert view.runtime_seconds == before.runtime_seconds


def test_what_is_shorter_is_cut_to_what_is_asked_as_well():
    run = make_run(accuracies=RATES[0.1][:3], target=20, state=RunState.INTERRUPTED)
    assert (run.at(5).epochs, run.at(5).target_epochs, run.at(5).state) == (3, 5, RunState.INTERRUPTED)


def test_the_attempts_that_computed_a_run():
    run = went_on()
    assert [attempt.host for attempt in run.at(5).computing_attempts] == ["bench"]
    assert [attempt.host for attempt in run.computing_attempts] == ["bench", "further"]
    untimed = replace(run, attempts=tuple(replace(attempt, timings=()) for attempt in run.attempts))
    assert len(untimed.computing_attempts) == 5
