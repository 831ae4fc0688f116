"""What the runner relies on in a trainer: tests for every implementation."""

import math
from dataclasses import replace
from datetime import UTC

import pytest

from lenetcli.training.events import Diverged, Stopped


def train(
    trainer, config, epochs, checkpoint=None, on_progress=lambda progress: None, should_stop=lambda: False
):
    trainer.prepare(config)
    return list(trainer.train(config, checkpoint, epochs, on_progress, should_stop))


class TrainerContract:
    """A subclass provides the fixtures ``trainer``, ``config``, ``diverging`` and ``images``."""

    @pytest.fixture
    def trainer(self):
        """A trainer."""
        raise NotImplementedError

    @pytest.fixture
    def config(self):
        """A configuration that it can train."""
        raise NotImplementedError

    @pytest.fixture
    def diverging(self):
        """A configuration that diverges within three epochs."""
        raise NotImplementedError

    @pytest.fixture
    def images(self):
        """The number of validation images."""
        raise NotImplementedError

    def test_preparing_tells_the_seconds_of_tracing_and_warm_up(self, trainer, config):
        trace_seconds, warmup_seconds = trainer.prepare(config)
        assert trace_seconds >= 0 and warmup_seconds >= 0

    def test_each_epoch_is_yielded_in_order_with_all_that_is_stored(self, trainer, config, images):
        epochs = train(trainer, config, range(1, 4))
        assert [trained.point.epoch for trained in epochs] == [1, 2, 3]
        assert [trained.checkpoint.epoch for trained in epochs] == [1, 2, 3]
        for trained in epochs:
            assert math.isfinite(trained.point.train_loss + trained.point.val_loss)
            assert 0 <= trained.point.val_accuracy <= 1
            assert len(trained.predictions) == images
            assert trained.timing.train_seconds > 0 and trained.timing.eval_seconds >= 0
        times = [time for t in epochs for time in (t.timing.started_at, t.timing.ended_at)]
        assert times == sorted(times) and times[0].tzinfo is UTC

    def test_the_same_run_has_the_same_bits(self, trainer, config):
        once, again = (train(trainer, config, range(1, 3)) for _ in range(2))
        assert [trained.checkpoint for trained in once] == [trained.checkpoint for trained in again]
        assert [trained.point for trained in once] == [trained.point for trained in again]

    def test_another_seed_has_other_bits(self, trainer, config):
        other = replace(config, seed=config.seed + 1)
        hashes = {train(trainer, one, range(1, 2))[0].checkpoint.sha256 for one in (config, other)}
        assert len(hashes) == 2

    def test_a_run_continued_from_its_checkpoint_is_the_run_in_one(self, trainer, config):
        whole = train(trainer, config, range(1, 4))
        (first,) = train(trainer, config, range(1, 2))
        rest = train(trainer, config, range(2, 4), first.checkpoint)
        hashes = [trained.checkpoint.sha256 for trained in [first, *rest]]
        assert hashes == [trained.checkpoint.sha256 for trained in whole]
        assert rest[-1].point == whole[-1].point

    def test_the_test_set_is_used_after_the_last_epoch_alone(self, trainer, config):
        *others, last = train(trainer, config, range(1, 4))
        assert [trained.point.test_accuracy for trained in others] == [None, None]
        assert 0 <= last.point.test_accuracy <= 1
        assert trainer.test(config, last.checkpoint) == last.point.test_accuracy

    def test_progress_counts_the_images_of_an_epoch(self, trainer, config):
        progress = []
        train(
            trainer, config, range(2, 3), train(trainer, config, range(1, 2))[0].checkpoint, progress.append
        )
        assert progress
        assert {event.epoch for event in progress} == {2}
        counts = [event.images for event in progress]
        assert counts == sorted(set(counts)) and counts[-1] <= progress[-1].total

    def test_a_stop_ends_the_training_after_what_is_finished(self, trainer, config):
        trainer.prepare(config)
        finished = []
        with pytest.raises(Stopped):
            for trained in trainer.train(
                config, None, range(1, 10), lambda progress: None, lambda: len(finished) == 2
            ):
                finished.append(trained.point.epoch)
        assert finished == [1, 2]

    def test_divergence_is_an_exception(self, trainer, diverging):
        with pytest.raises(Diverged):
            train(trainer, diverging, range(1, 4))
