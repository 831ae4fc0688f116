"""What each recipe makes of a request, the releases that had the older ones, and the names of recipes."""

from array import array
from collections.abc import Iterable
from functools import cache
from typing import Any

from lenetcli.experiment.config import RECIPE, DeviceKind

RELEASES = {1: "0.1"}
"""The release that trains runs of an older recipe, by the recipe."""

RECIPES = (RECIPE, *sorted(RELEASES, reverse=True))
"""Every recipe, the newest first."""


def choose_shards(filters: int, batch_size: int, device: DeviceKind, recipe: int = RECIPE) -> int:
    """The default number of shards of a batch, which are computed in parallel.

    It determines the bits and therefore does not depend on the machine. A GPU is parallel within each
    operation: one shard. On a CPU there are four, for networks of any size: a rule by size would put a step
    into the curve of runtime against parameters (docs/performance.md has the price on two cores).
    """
    if device is DeviceKind.GPU:
        return 1
    return min(2 if recipe == 1 and filters < 32 else 4, batch_size)


def round_value(value: Any, recipe: int = RECIPE) -> Any:
    """A value of a parameter as a recipe has it: from the second on, decimal numbers are rounded."""
    return round_to_single(value) if recipe > 1 and isinstance(value, float) else value


@cache
def round_to_single(number: float) -> float:
    """A number rounded to the fewest digits that float32, in which training computes, reads as the same.

    It is infinite where float32 overflows.
    """
    single = array("f", [number])[0]
    decimals = (float(f"{single:.{digits}g}") for digits in range(1, 10))
    return next((decimal for decimal in decimals if array("f", [decimal])[0] == single), single)


def name_recipe(recipe: int, among: Iterable[int]) -> str:
    """The name of a recipe that is shown or stored beside others; empty if these are the same."""
    return f"recipe {recipe}" if {recipe, *among} != {recipe} else ""
