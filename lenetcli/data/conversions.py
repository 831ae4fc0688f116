"""What to type in Python that converts common forms of data to one that is read."""

import json
import math
from collections.abc import Collection, Sequence
from typing import Final

from lenetcli.experiment.architecture import CLASSES, IMAGE_SIDE

_GREY: Final = "x = (x * (255 if x.max() <= 1 else 1)).round().astype('uint8')"
_SQUARE: Final = f"x = x.reshape(-1, {IMAGE_SIDE}, {IMAGE_SIDE})"
_WHOLE: Final = "y = y.astype(int)"
_ROW: Final = "y = y.reshape(-1)"
_CLASS: Final = "y = y.argmax(axis=1)"
_RENUMBER: Final = "y = np.searchsorted({found}, y)"

_TABLE: Final = "t = numpy.loadtxt({name}, 'uint8', delimiter=',', skiprows={skip})"

SAVE: Final = "numpy.savez('data.npz', x_train=…, y_train=…, x_test=…, y_test=…)"

_PICKLE: Final = """\
import gzip, pickle, numpy as np
file = {open}({name}, "rb")
(a, b), (c, d), (e, f) = pickle.load(file, encoding="latin1")
grey = lambda x: (x * (255 / x.max())).round().astype("uint8")
images = lambda x: grey(x).reshape(-1, 28, 28)
x, y = np.concatenate([a, c]), np.concatenate([b, d])
np.savez("converted.npz", x_train=images(x), y_train=y,
         x_test=images(e), y_test=f)
"""

_QMNIST: Final = """\
import gzip, numpy as np
content = {open}({name}, "rb").read()
y = np.frombuffer(content, ">i4", offset=12)[::8]
head = bytes([0, 0, 8, 1]) + len(y).to_bytes(4, "big")
open({target}, "wb").write(head + y.astype("uint8").tobytes())
"""


def convert_images(shape: Sequence[int], *, grey: bool) -> str:
    """Advice on images in an array of this shape, if of other numbers than bytes ``grey``; empty if none."""
    is_flat = tuple(shape[1:]) != (IMAGE_SIDE, IMAGE_SIDE) and math.prod(shape[1:]) == IMAGE_SIDE**2
    values = "values from 0 to 1 and from 0 to 255" if grey else ""
    return _convert("x", [_GREY] * grey + [_SQUARE] * is_flat, values)


def convert_labels(shape: Sequence[int], *, whole: bool) -> str:
    """Advice on labels in an array of this shape, ``whole`` if of whole numbers; empty if none."""
    if len(shape) == 2 and shape[1] == CLASSES:
        return _convert("y", [_CLASS])
    return _convert("y", [_ROW] * (len(shape) == 2 and shape[1] == 1) + [_WHOLE] * (not whole))


def renumber_labels(found: Collection[int]) -> str:
    """Advice on at most ten classes of other labels."""
    advice = _convert("y", [_RENUMBER.format(found=sorted(found))])
    return f"{advice} Training and test labels need the same list."


def _convert(array: str, lines: Sequence[str], values: str = "") -> str:
    """Advice to convert an array with these lines, which are right for these values; empty without lines."""
    if not lines:
        return ""
    code = "\n".join(lines)
    scope = f" for {values}" if values else ""
    end = "Then save all arrays again with np.savez."
    return f"Convert it with NumPy, here as {array}{scope}:\n\n{code}\n\n{end}"


def convert_pickle(name: str, *, packed: bool) -> str:
    """Advice on the pickle of the deep-learning course, a file of this name, ``packed`` with gzip or not.

    Its 50,000 training and 10,000 validation images are MNIST's 60,000 in their order; white is 255/256.
    """
    lines = _PICKLE.format(name=_quote(name), open="gzip.open" if packed else "open")
    return (
        "Only if you trust where it came from, convert it once with Python, in its folder. For mnist.pkl.gz, "
        f"with its training, validation and test set:\n\n{lines}\n"
        "Then give --data converted.npz; its training and validation images are split again."
    )


def convert_qmnist(name: str, *, packed: bool) -> str:
    """Advice on QMNIST's labels, of which the first of eight columns is the digit."""
    target = name.removesuffix(".gz").replace("idx2-int", "idx1-ubyte")
    lines = _QMNIST.format(name=_quote(name), open="gzip.open" if packed else "open", target=_quote(target))
    return f"Convert them once with Python, in their folder:\n\n{lines}\nThen give the folder again."


def convert_table(name: str, first_line: str) -> str:
    """Advice on a table that begins with this line: Kaggle has them of a label and 784 pixels in each."""
    line = _TABLE.format(name=_quote(name), skip=int(not first_line[:1].isdigit()))
    return (
        f"If its lines are a label and 784 pixels, read it with {line}; save t[:, 1:].reshape(-1, 28, 28) as "
        f"x_train and t[:, 0] as y_train: {SAVE}."
    )


def _quote(name: str) -> str:
    """A name as a string of Python."""
    return json.dumps(name, ensure_ascii=False)
