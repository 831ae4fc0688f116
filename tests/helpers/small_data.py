"""Small data in MNIST's form, made of the shipped synthetic digits: for tests that really train."""

from pathlib import Path

from helpers.command import Desk
from helpers.made_up import make_config

from lenetcli.data import digits, sources
from lenetcli.data.readers import NAMES, encode_head
from lenetcli.experiment.config import Precision


def write_idx(folder: Path, train: int = 600, test: int = 100) -> Path:
    """Write ``train`` and ``test`` synthetic digits as the four IDX files; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = (*digits.make(train, 7), *digits.make(test, 8))
    for name, array in zip(NAMES, arrays, strict=True):
        (folder / name).write_bytes(encode_head(array.shape) + array.tobytes())
    return folder


def tiny_desk(folder: Path) -> Desk:
    """A desk whose data are 120 and 40 synthetic digits."""
    desk = Desk(folder)
    desk.environment["LENETCLI_DATA"] = str(write_idx(folder / "tiny", 120, 40))
    return desk


def load(folder: Path, train: int = 600, test: int = 100) -> tuple[sources.DataSource, sources.Arrays]:
    """The same, found and read by lenetcli."""
    source = sources.find(data=str(write_idx(folder, train, test)))
    return source, source.load()


def train_both_precisions(trainer):
    """The hashes and losses of two epochs in each precision."""
    found = []
    for precision in Precision:
        config = make_config(filters=5, batch_size=66, shards=4, precision=precision)
        trainer.prepare(config)
        epochs = trainer.train(config, None, range(1, 3), lambda news: None, lambda: False)
        found += [(t.checkpoint.sha256, t.point.train_loss, t.point.val_loss) for t in epochs]
    return found
