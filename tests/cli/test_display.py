"""The display of training, from the events of several runs at once."""

import os
import pickle
import re
import time

import pytest
from helpers.made_up import NOW, make_cell, make_sweep

from lenetcli.cli.screen.display import Display
from lenetcli.experiment.run import CurvePoint, RunState
from lenetcli.training.events import Began, Ended, Fate, Held, Lasting, Loading, Noted, Progressed, Stored

CELLS = [make_cell("lr", rate, None) for rate in (0.1, 0.01, 0.001)]
SWEEP = make_sweep("lr", 4, CELLS)
FIRST, SECOND, THIRD = (cell.config.key for cell in CELLS)


def progressed(key, epoch, images, loss):
    return Progressed(key=key, epoch=epoch, images=images, total=100, loss=loss)


def stored(key, epoch, accuracy):
    point = CurvePoint(epoch=epoch, train_loss=1.0, val_loss=2.0, val_accuracy=accuracy)
    return Stored(key, point, 1.5)


INTERLEAVED = (
    Began(FIRST, 1, 4),
    Began(SECOND, 3, 4),
    progressed(FIRST, 1, 50, 2.5),
    progressed(SECOND, 3, 50, 0.5),
    stored(SECOND, 3, 0.93),
    stored(FIRST, 1, 0.81),
    progressed(SECOND, 4, 25, 0.25),
    progressed(FIRST, 2, 75, 1.25),
)


@pytest.fixture
def screen(monkeypatch, tmp_path):
    """A function that shows events and returns what stands on stderr after the text of the last note."""
    monkeypatch.setenv("TERM", "xterm")

    def show(*events, live=False, jobs=2, width=100, height=25, sweep=SWEEP):
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("LINES", str(height))
        for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
            monkeypatch.setenv(name, "1") if live else monkeypatch.delenv(name, raising=False)
        before, file = os.dup(2), os.open(tmp_path / "screen", os.O_CREAT | os.O_RDWR | os.O_TRUNC)
        os.dup2(file, 2)
        try:
            display = Display(sweep, jobs)
            with display:
                for event in events:
                    display.show(pickle.loads(pickle.dumps(event)))  # noqa: S301 -- our own
                display._bars.refresh()  # a terminal gets a new frame four times a second
                display.show(Noted("look"))
                seen = (tmp_path / "screen").read_text("utf-8")
        finally:
            os.dup2(before, 2)
            os.close(before)
            os.close(file)
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen) if live else seen

    return show


def test_lines_of_two_runs_at_once_name_their_run(screen):
    lines = screen(*INTERLEAVED, Ended(SECOND, RunState.FAILED, Fate.FAILED)).splitlines()
    assert lines == [
        "lr 0.01  goes on after epoch 2",
        "lr 0.01  epoch 3/4  train loss 1.0000  val loss 2.0000  val accuracy 0.9300  1.50 s",
        "lr 0.1  epoch 1/4  train loss 1.0000  val loss 2.0000  val accuracy 0.8100  1.50 s",
        "lr 0.01  failed, failed",
        "look",
    ]


def test_a_step_that_lasts_is_named(screen):
    began = (Began(FIRST, 1, 4), Began(SECOND, 1, 4))
    lasting = (Lasting(FIRST, "warming up"), Lasting(SECOND, "warming up"), Lasting(FIRST, "first batches"))
    assert screen(*began, *lasting).splitlines() == [
        "lr 0.1  warming up ...",
        "lr 0.1  first batches ...",
        "look",
    ]
    (_, bar, *rest) = frame(screen(began[0], lasting[0], live=True, jobs=1))
    assert bar.startswith("lr 0.1 warming up ...") and not rest
    lines = frame(screen(*began, *lasting, progressed(SECOND, 1, 50, 2.5), live=True))
    assert ["first batches" in line for line in lines[-2:]] == [True, False]
    assert "warming up" not in lines[-1]


HELD = (
    Held(SECOND, "a host", NOW, 120.0),
    Held(SECOND, "a host", NOW, 119.5),
    Held(SECOND, "a host", NOW, None),
    Held(SECOND, "a host", NOW, None),
    Held(SECOND, "a host", NOW, 90.0),
    Held(SECOND, "a host", NOW, 45.0),
)


def test_a_run_in_other_hands_has_a_line_whenever_what_is_known_of_it_changes(screen):
    taken = "lr 0.01  is taken over in {} unless another process on a host gives a sign of life"
    last = " (the last one at 2025-03-01 00:00 UTC by its clock)"
    assert screen(*HELD, Held(THIRD, "here", None, None)).splitlines() == [
        taken.format("2 min") + last,
        "lr 0.01  is in the hands of another process on a host",
        taken.format("90 s") + last,
        "lr 0.001  is in the hands of another process on here",
        "look",
    ]


def test_a_terminal_counts_down_until_a_run_is_taken_over(screen):
    third = Held(THIRD, "here", None, None)
    shown = frame(screen(*HELD, third, live=True, jobs=1))
    assert shown[0].startswith("lr 0.01 is taken over in 45 s unless another")
    assert shown[1].startswith("lr 0.001 is in the hands of another process")
    (total, bar, *rest) = frame(screen(*HELD, third, Began(SECOND, 3, 4), live=True, jobs=1))
    assert total.startswith("run 1 of 3") and bar.startswith("lr 0.01 getting ready") and not rest


def test_a_run_in_other_hands_stands_below_those_in_training(screen):
    third = Held(THIRD, "here", None, None)
    assert frame(screen(*HELD, third, Began(SECOND, 3, 4), Began(FIRST, 1, 4), live=True)) == [
        "0 of 3 runs done",
        "lr 0.01 epoch 3/4 getting ready",
        "lr 0.1 epoch 1/4 getting ready",
        "lr 0.001 is in the hands of another process on here",
    ]


def frame(seen):
    """The lines of the bars after the last note, without the bars themselves."""
    lines = seen.rpartition("look")[2].splitlines()
    return [" ".join(re.sub("[━╸╺]", " ", line).split()) for line in lines if line.strip()]


def test_one_run_at_a_time_has_a_bar_and_details(screen):
    events = (Began(FIRST, 1, 4), progressed(FIRST, 1, 50, 2.5), stored(FIRST, 1, 0.81))
    again = progressed(FIRST, 2, 75, 1.25)
    total, first, *details = frame(screen(*events, again, live=True, jobs=1))
    assert total.startswith("run 1 of 3")
    assert first.startswith("lr 0.1 epoch 2/4")
    assert [line.partition(" · images")[0] for line in details] == ["loss 1.2500 · val accuracy 0.8100"]


def test_of_several_runs_at_once_each_has_one_line_in_the_order_in_which_they_began(screen):
    total, *runs = frame(screen(*INTERLEAVED, live=True))
    assert total.startswith("0 of 3 runs done")
    # images per second and the time left have not been measured yet
    assert runs == ["lr 0.1 epoch 2/4 val accuracy 0.8100", "lr 0.01 epoch 4/4 val accuracy 0.9300"]


@pytest.mark.parametrize("width", [40, 50, 60, 80, 100, 120])
def test_the_lines_of_several_runs_are_columns_that_fit_the_terminal(screen, width):
    seen = screen(*INTERLEAVED, live=True, width=width).rpartition("look")[2].splitlines()
    lines = [line.rstrip() for line in seen if line.startswith("lr ")]
    assert len(lines) == 2
    assert all(len(line) <= width - 2 and "…" not in line for line in lines)  # ^C has room
    for value, epoch, accuracy, line in zip(("0.1 ", "0.01"), "24", ("0.8100", "0.9300"), lines, strict=True):
        assert value in line and f"{epoch}/4" in line
        assert line.index(accuracy) == lines[0].index("0.8100")
        assert ("━" in line) == (width >= 80)


def test_a_run_whose_worker_died_goes_on_in_one_line_with_the_curve_so_far(screen):
    left = Ended(FIRST, RunState.RUNNING, Fate.LEFT)
    for events in ((left, Began(FIRST, 2, 4)), (Began(FIRST, 2, 4),)):
        for jobs in (1, 2):
            seen = screen(*INTERLEAVED[:1], *INTERLEAVED[5:6], *events, live=True, jobs=jobs)
            _, *lines = frame(seen)
            assert len(lines) == 1 and lines[0].startswith("lr 0.1 ")
            seen = screen(
                *INTERLEAVED[:1],
                *INTERLEAVED[5:6],
                *events,
                stored(FIRST, 2, 0.85),
                Ended(FIRST, RunState.COMPLETED, Fate.TRAINED),
                live=True,
                jobs=jobs,
            )
            assert re.search(r"lr 0\.1 +completed, trained  best 0\.8500  ▁█ from 0\.8100", seen)


def test_what_several_workers_load_is_told_of_once(screen):
    loading = [Loading("Reading digits"), Loading("Loading TensorFlow")]
    lines = screen(*loading, *loading, Began(FIRST, 1, 4), loading[1]).splitlines()
    assert lines == ["Reading digits ...", "Loading TensorFlow ...", "look"]
    assert frame(screen(*loading, *loading, live=True)) == ["Loading TensorFlow ..."]
    _, *runs = frame(screen(*loading, Began(FIRST, 1, 4), *loading, live=True))
    assert runs == ["lr 0.1 epoch 1/4 getting ready"]


def test_the_runs_in_training_share_the_time_that_is_left(screen, monkeypatch):
    begun = [
        Began(FIRST, 1, 4),
        Began(SECOND, 3, 4),
        progressed(FIRST, 1, 50, 1),
        progressed(SECOND, 3, 50, 1),
    ]
    times = iter([0.0, 0.0, 10.0, 10.0])
    later = [progressed(FIRST, 2, 50, 1), progressed(SECOND, 4, 50, 1)]
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    lines = frame(screen(*begun, *later, live=True))
    # 25 s and 5 s of those in training, and 40 s of the third one, for two at once
    assert [line.partition("images/s ")[2] or line for line in lines] == [
        *("0 of 3 runs done 35 s left", "25 s left", "5.0 s left")
    ]
    times = iter([0.0, 0.0, 10.0, 10.0])
    ended = Ended(THIRD, RunState.COMPLETED, Fate.TRAINED)
    lines = frame(screen(*begun, *later, ended, live=True))
    assert lines[0] == "1 of 3 runs done 25 s left"  # no sooner than the last of them


def test_of_more_runs_than_a_terminal_has_lines_some_are_counted(screen, monkeypatch):
    monkeypatch.setattr("lenetcli.cli.screen.display.UPDATE_SECONDS", 0.0)
    cells = [make_cell("lr", number / 100, None) for number in range(1, 41)]
    begun = [Began(cell.config.key, 1, 4) for cell in cells]
    look = {"live": True, "jobs": 40, "sweep": make_sweep("lr", 4, cells)}
    total, *runs, more = frame(screen(*begun, height=12, **look))
    assert total.startswith("0 of 40 runs done")
    assert [run.split()[1] for run in runs] == ["0.01", "0.02", "0.03", "0.04", "0.05", "0.06"]
    assert more == "and 34 more in training"
    assert len(frame(screen(*begun, height=60, **look))) == 41


def test_a_run_that_ends_takes_its_line_and_its_own_curve_along(screen):
    seen = screen(*INTERLEAVED, Ended(SECOND, RunState.COMPLETED, Fate.CONTINUED), live=True)
    assert re.search(r"lr 0\.01 +completed, continued  best 0\.9300", seen)
    total, first, *rest = frame(seen)
    assert total.startswith("1 of 3 runs done")
    assert first.startswith("lr 0.1 epoch 2/4")
    assert not rest


def test_a_run_that_is_measured_again_at_the_end_does_not_count_as_done_meanwhile(screen):
    ended = [Ended(key, RunState.COMPLETED, Fate.TRAINED) for key in (FIRST, SECOND, THIRD)]
    total, first, *rest = frame(screen(*INTERLEAVED, *ended, Began(SECOND, 1, 4), live=True))
    assert total.startswith("2 of 3 runs done")
    assert first.startswith("lr 0.01 epoch 1/4") and not rest


def test_a_run_that_is_left_does_not_count_and_may_begin_again(screen):
    left = Ended(SECOND, RunState.RUNNING, Fate.LEFT)
    total, first, *_ = frame(screen(*INTERLEAVED, left, live=True))
    assert total.startswith("0 of 3 runs done") and first.startswith("lr 0.1 ")
    *_, second = frame(screen(*INTERLEAVED[1:2], left, Began(SECOND, 4, 4), live=True))
    assert second == "lr 0.01 epoch 4/4 getting ready"
