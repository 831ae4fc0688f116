"""How parameters and runtime grow with the filters, in sentences that the data support."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from lenetcli.estimates import dense_share, filters_at, fit_exponent, parameter_law
from lenetcli.rankings import Statement
from lenetcli.runs import Config, DeviceKind
from lenetcli.runtimes import DeviceSeries, RuntimePoint, RuntimeSeries
from lenetcli.wording import FILTERS_COMMANDS, join_words, name_values, write_number

LEAST_POINTS = 4
"""With fewer points every law of two numbers fits, and none is believed."""
LEAST_TIMINGS = 3
"""From fewer epochs of a size, no spread can be read and no verdict is given."""
NEARLY_LINEAR = 0.1
"""Up to this part of the parameters, the quadratic part is called small."""


def judge_parameters(config: Config, sizes: Sequence[int]) -> list[Statement]:
    """The law of the parameters and what it means for the sizes measured (ascending)."""
    law = parameter_law(config)
    small, large = sizes[0], sizes[-1]
    share = dense_share(replace(config, filters=small))
    kernel = f"{config.kernel_size}×{config.kernel_size}"
    text = (
        f"With F filters of {kernel} and {config.hidden_units} hidden units there are {law.square:,} F² + "
        f"{law.linear:,} F + {law.constant:,} parameters"
    )
    if len(sizes) > 1:
        growth = law.count(large) / law.count(small)
        text += (
            f": {law.count(small):,} for {small} and {law.count(large):,} for {large} filters, "
            f"{write_number(growth)} times as many for {write_number(large / small)} times the filters"
        )
    quadratic = [law.square * size**2 / law.count(size) for size in sizes]
    flat = [size for size, part in zip(sizes, quadratic, strict=True) if part <= NEARLY_LINEAR]
    text += f". The first fully connected layer dominates ({share:.0%} of them at {small} filters)"
    if flat and share > 0.5:
        text += f", so that the growth is nearly linear up to {flat[-1]} filters"
    text += (
        f"; the quadratic part, from the second convolution, overtakes the linear one only at about "
        f"{round(law.crossing):,} filters, and makes {quadratic[-1]:.0%} at {large}."
    )
    if share <= 0.5:
        text = text.replace(
            "The first fully connected layer dominates (", "The first fully connected layer holds ("
        )
    numbers = {"square": law.square, "linear": law.linear, "constant": law.constant, "crossing": law.crossing}
    return [Statement("parameters", text, (), numbers)]


def judge_runtimes(
    series: RuntimeSeries, commands: Mapping[DeviceKind, str] = FILTERS_COMMANDS
) -> list[Statement]:
    """How the runtime grows on each device, and how the devices compare.

    Args:
        series: what was measured.
        commands: what trains the filters on a kind of device that has not been measured.
    """
    statements = [statement for device in series.devices for statement in _judge_device(device)]
    return [*statements, *_compare_devices(series, commands), *_doubts(series)]


def _judge_device(device: DeviceSeries) -> list[Statement]:
    points = device.clean
    if len(points) < 2:
        return []
    small, large = points[0], points[-1]
    ratio, size = large.seconds / small.seconds, large.filters / small.filters
    if min(small.timings, large.timings) < LEAST_TIMINGS:
        verdict = "too few epochs were timed to compare that with proportion to the filters"
    elif large.low / small.high > size:
        verdict = "faster than in proportion to the filters"
    elif large.high / small.low < size:
        verdict = "more slowly than in proportion to the filters"
    else:
        verdict = "not distinguishable from proportion to the filters"
    verb = "grows" if ratio >= 1 else "changes"
    text = (
        f"{device.label}: from {small.filters} to {large.filters} filters the runtime {verb} by a factor of "
        f"{write_number(ratio)}, the parameters by {write_number(large.parameters / small.parameters)}: "
        f"{verdict}"
    )
    numbers = {"growth": ratio}
    if len(points) > 2:
        power = fit_exponent([p.filters for p in points], [p.seconds for p in points])
        margin = power.margin or 0.0
        numbers |= {"exponent": power.slope, "margin": margin}

        steps = [
            fit_exponent([a.filters, b.filters], [a.seconds, b.seconds]).slope for a, b in pairwise(points)
        ]
        numbers |= {"first_exponent": steps[0], "last_exponent": steps[-1]}
        text += (
            f". Fitted as one power of the filters, the exponent is {power.slope:.2f} ± {margin:.2f} (95%); "
            f"from step to step it goes from {steps[0]:.2f} to {steps[-1]:.2f}"
        )
    growth = Statement("growth", f"{text}.", _ids(points), numbers)
    return [growth, *_judge_overhead(device)]


def _judge_overhead(device: DeviceSeries) -> list[Statement]:
    points, law = device.clean, device.law
    if len(points) < LEAST_POINTS:
        return []
    if law is None:
        text = (
            f"{device.label}: a fixed overhead plus time in proportion to the arithmetic does not describe "
            "these runtimes, so that where overhead ends cannot be read from them."
        )
        return [Statement("overhead unknown", text, _ids(points))]
    turn = filters_at(device.config, law.overhead / law.rate)
    small, large = points[0].filters, points[-1].filters
    numbers = {"overhead": law.overhead, "turn": turn, "misfit": law.misfit}
    if turn < small:
        told = "arithmetic dominates at every size measured"
    elif turn > large:
        told = "overhead dominates at every size measured"
    else:
        told = f"overhead dominates below about {round(turn)} filters, arithmetic above"
    text = (
        f"{device.label}: {told}, by a fit of overhead plus time in proportion to multiply-adds that meets "
        f"every point within {max(1, math.ceil(100 * law.misfit))}%."
    )
    return [Statement("overhead", text, _ids(points), numbers)]


def _compare_devices(series: RuntimeSeries, commands: Mapping[DeviceKind, str]) -> list[Statement]:
    cpus = [device for device in series.devices if device.kind is DeviceKind.CPU]
    gpus = [device for device in series.devices if device.kind is DeviceKind.GPU]
    for found, kind in ((gpus, DeviceKind.GPU), (cpus, DeviceKind.CPU)):
        if not found:
            name = kind.value.upper()
            where = ", on a machine that has one" if kind is DeviceKind.GPU else ""
            text = (
                f"No filters have been timed on a {name} to compare with. "
                f"This does it{where}: `{commands[kind]}`"
            )
            return [Statement(f"no {name}", text)]
    return [statement for gpu in gpus for cpu in cpus for statement in _compare(gpu, cpu)]


def _compare(gpu: DeviceSeries, cpu: DeviceSeries) -> list[Statement]:
    """The speed-up at each size that both measured without doubt, and where the GPU begins to pay."""
    if _setting(gpu.config) != _setting(cpu.config):
        text = f"{gpu.label} and {cpu.label} are not compared: their data or settings differ."
        return [Statement("unlike", text)]
    on_cpu = {point.filters: point for point in cpu.clean}
    pairs = [(point, on_cpu[point.filters]) for point in gpu.clean if point.filters in on_cpu]
    if not pairs:
        text = f"{gpu.label} and {cpu.label} share no number of filters that both measured without doubt."
        return [Statement("no common size", text)]
    speedups = {g.filters: c.seconds / g.seconds for g, c in pairs}
    told = join_words([f"{write_number(ratio)} ({size} filters)" for size, ratio in speedups.items()])
    pays = [_is_faster(g, c) for g, c in pairs]
    loses = [_is_faster(c, g) for g, c in pairs]
    if len(pairs) == 1 and (pays[0] or loses[0]):
        pays_or_not = "pays" if pays[0] else "does not pay"
        verdict = f"training {pays_or_not} at {pairs[0][0].filters} filters, the only size that both measured"
    elif all(pays):
        verdict = f"training pays at every size that both measured, from {pairs[0][0].filters} filters on"
    elif all(loses):
        verdict = "training pays at no size that both measured"
    elif True not in pays or not pays[-1]:
        verdict = "nothing here tells from which size on training pays"
    else:
        start = len(pays) - (pays[::-1].index(False))
        verdict = f"training pays from {pairs[start][0].filters} filters on"
    text = f"Speed-up of the {gpu.label} over the {cpu.label}: {told}. On the GPU, {verdict}."
    text += _trend(list(speedups.values()))
    numbers = {f"speed-up {size}": ratio for size, ratio in speedups.items()}
    return [Statement("speed-up", text, _ids([p for pair in pairs for p in pair]), numbers)]


def _is_faster(one: RuntimePoint, other: RuntimePoint) -> bool:
    """Whether one is faster beyond the spread of both, where enough epochs were timed to see a spread."""
    return min(one.timings, other.timings) >= LEAST_TIMINGS and one.high < other.low


def _trend(speedups: Sequence[float]) -> str:
    first, last = speedups[0], speedups[-1]
    if last > 1.1 * first and list(speedups) == sorted(speedups):
        return " The speed-up grows with the size, as the CPU’s curve is the steeper one."
    if first > 1.1 * last and list(speedups) == sorted(speedups, reverse=True):
        return " The speed-up shrinks with the size, as the GPU’s curve is the steeper one."
    return ""


def _setting(config: Config) -> Config:
    return replace(config, filters=1, seed=0, shards=1, device=DeviceKind.CPU)


def _doubts(series: RuntimeSeries) -> list[Statement]:
    statements = []
    for device in series.devices:
        for doubt in dict.fromkeys(point.doubt for point in device.points if point.doubt):
            points = [point for point in device.points if point.doubt == doubt]
            sizes = name_values(point.filters for point in points)
            text = f"{device.label}, {sizes} filters: {doubt}; drawn hollow, in no fit and no comparison."
            statements.append(Statement("doubt", text, _ids(points)))
    return statements


def _ids(points: Sequence[RuntimePoint]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(id for point in points for id in point.runs))
