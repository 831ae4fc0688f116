"""The lab exercise: the values it sweeps over, and the commands that train them."""

from typing import Any

from lenetcli.experiment.config import DeviceKind
from lenetcli.experiment.parameters import PARAMETERS

LEARNING_RATES = (0.1, 0.01, 0.001, 0.0001)
"""The learning rates of the first sweep."""

FILTERS = {DeviceKind.GPU: (8, 16, 32, 64, 128, 256), DeviceKind.CPU: (8, 16, 32, 64)}
"""The numbers of filters, for each kind of device."""


def example_values(parameter: str) -> tuple[Any, ...]:
    """Values to sweep over: those of the exercise, of another parameter those to try."""
    known = {"lr": LEARNING_RATES, "filters": FILTERS[DeviceKind.CPU]}
    return known.get(parameter) or PARAMETERS[parameter].tries
