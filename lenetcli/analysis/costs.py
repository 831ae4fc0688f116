"""Statements on the growth of parameters and runtime with the number of filters."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from lenetcli.analysis.inference import fit_exponent
from lenetcli.analysis.runtimes import DeviceSeries, RuntimeSeries
from lenetcli.analysis.statements import Paragraph, Statement, cite
from lenetcli.experiment.architecture import convolution_share, dense_share, filters_at, parameter_law
from lenetcli.experiment.config import Config, DeviceKind
from lenetcli.words import join_words, name_values, plural, write_number

LEAST_POINTS = 4
"""The smallest number of points for a statement on a law of two coefficients, which fits fewer too easily."""
LEAST_TIMINGS = 3
"""The smallest number of timed epochs of a size from which the spread, and so a comparison, is stated."""
NEARLY_LINEAR = 0.1
"""The largest share of the quadratic part at which the growth of the parameters is called nearly linear."""


def conclude_parameters(config: Config, sizes: Sequence[int]) -> Statement:
    """The statement on the number of parameters of a network as a polynomial in its filters.

    ``sizes`` are the numbers of filters measured, ascending, at least one.
    """
    law = parameter_law(config)
    small, large = sizes[0], sizes[-1]
    text = (
        f"With F filters of {config.kernel_size}×{config.kernel_size} and {config.hidden_units} hidden units "
        f"there are {law.square:,} F² + {law.linear:,} F + {law.constant:,} parameters"
    )
    if len(sizes) > 1:
        growth = law(large) / law(small)
        text += (
            f": {law(small):,} for {small} and {law(large):,} for {large} filters, "
            f"{write_number(growth)} times as many for {write_number(large / small)} times the filters"
        )
    share = dense_share(replace(config, filters=small))
    text += f". The first fully connected layer holds {share:.0%} of them at {plural(small, 'filter')}"
    linear_sizes = [size for size in sizes if law.square * size**2 <= NEARLY_LINEAR * law(size)]
    if linear_sizes and share > 0.5:
        text += f", so that the growth is nearly linear up to {linear_sizes[-1]} filters"
    crossing = law.linear / law.square
    text += (
        f"; the quadratic part, from the second convolution, makes {law.square * large**2 / law(large):.0%} "
        f"at {large} and overtakes the linear one only at about {round(crossing):,} filters."
    )
    numbers = {"square": law.square, "linear": law.linear, "constant": law.constant, "crossing": crossing}
    return Statement("parameters", text, (), numbers)


def conclude_runtimes(series: RuntimeSeries) -> tuple[Paragraph, ...]:
    """All that the runtimes show on their growth, and on speed-ups; doubtful points are left out."""
    gpus = [device for device in series.devices if device.kind is DeviceKind.GPU]
    cpus = [device for device in series.devices if device.kind is DeviceKind.CPU]
    growth = [statement for device in series.devices for statement in _conclude_growth(device)]
    reasons = [_explain_growth(series.devices)] if growth else []
    speedups = [_conclude_speedup(gpu, cpu) for gpu in gpus for cpu in cpus]
    return tuple(filter(None, (tuple(reasons), tuple(growth), tuple(speedups))))


def _explain_growth(devices: Sequence[DeviceSeries]) -> Statement:
    """The reason why runtime does not grow as the parameters do; it says what overhead is."""
    config = max((replace(d.config, filters=d.points[-1].filters) for d in devices), key=lambda c: c.filters)
    convolution, dense = convolution_share(config), dense_share(config)
    text = (
        "Runtime follows the arithmetic rather than the parameters. The fully connected layer uses each of "
        "its weights once for an image, and they grow in number with F; the second convolution applies its "
        "kernels at every pixel, and they grow in number with F². "
        f"With {plural(config.filters, 'filter')} the fully connected layer has {dense:.0%} of the "
        f"parameters, and the second convolution does {convolution:.0%} of the multiply-adds. So the runtime "
        "of large networks grows faster than their parameters; in small ones that is hidden by the overhead, "
        "the time that a step takes whatever the size."
    )
    return Statement("reason", text, (), {"dense": dense, "convolution": convolution})


def _conclude_growth(device: DeviceSeries) -> Iterator[Statement]:
    """Statements on the runtime of the largest against the smallest size, and on the overhead."""
    points = device.clean
    if len(points) < 2:
        return
    small, large = points[0], points[-1]
    time_factor, size_factor = large.seconds / small.seconds, large.parameters / small.parameters
    # Opposite quartiles bound the ratio; it differs from proportion if both bounds are on the same side, and
    # the digits show it.
    differs = write_number(time_factor) != write_number(size_factor)
    if min(small.timings, large.timings) < LEAST_TIMINGS:
        verdict = "too few epochs were timed to compare the two"
    elif differs and large.low / small.high > size_factor:
        verdict = "it grows faster than they do"
    elif differs and large.high / small.low < size_factor:
        verdict = "it grows more slowly than they do"
    else:
        verdict = "whether it grows faster than they do, the spread of the epochs hides"
    text = (
        f"On the {device.label}, training with {large.filters} filters takes {write_number(time_factor)} "
        f"times as long as with {small.filters}, for {write_number(size_factor)} times the parameters: "
        f"{verdict}"
    )
    numbers = {"growth": time_factor}
    has_law = len(points) >= LEAST_POINTS and device.law is not None
    if len(points) > 2 and not has_law:  # two laws of the same times would only confuse
        power = fit_exponent([p.filters for p in points], [p.seconds for p in points])
        assert power.margin is not None
        numbers |= {"exponent": power.exponent, "margin": power.margin}
        text += (
            f". As a power of the number of filters, runtime has the exponent {power.exponent:.2f} ± "
            f"{power.margin:.2f} (95%)"
        ).replace("-", "−")
    yield Statement("growth", f"{text}.", cite(*points), numbers)
    if len(points) >= LEAST_POINTS:
        yield _conclude_overhead(device)


def _conclude_overhead(device: DeviceSeries) -> Statement:
    """The statement on the size at which fixed overhead and arithmetic take the same time."""
    points, law = device.clean, device.law
    fit = "fit of overhead plus time in proportion to the multiply-adds"
    if law is None:
        text = f"No {fit} describes these runtimes, so that where overhead ends cannot be read from them."
        return Statement("overhead unknown", text, cite(*points))
    turn = filters_at(device.config, law.overhead / law.rate)
    numbers = {"overhead": law.overhead, "turn": turn, "misfit": law.misfit}
    if turn < points[0].filters:
        phrase = "the arithmetic takes most of the time at every size measured"
    elif turn > points[-1].filters:
        phrase = "overhead takes most of the time at every size measured"
    else:
        phrase = f"overhead takes most of the time below about {round(turn)} filters, the arithmetic above"
    text = f"A {fit} meets every point within {max(1, math.ceil(100 * law.misfit))}%: {phrase}."
    return Statement("overhead", text, cite(*points), numbers)


def _conclude_speedup(gpu: DeviceSeries, cpu: DeviceSeries) -> Statement:
    """The statement on the speed-up at each size measured on both, and on the sizes at which the GPU pays."""
    # A ratio of runtimes describes the devices only if data, settings, recipe and size are equal. A point in
    # doubt would make a disturbance of one machine appear as a difference of the devices.
    base = cpu.config
    shared = replace(gpu.config, filters=base.filters, seed=base.seed, shards=base.shards, device=base.device)
    if shared != base:
        what = "data or settings" if gpu.config.recipe == cpu.config.recipe else "recipes"
        text = f"{gpu.label} and {cpu.label} are not compared: their {what} differ."
        return Statement("unlike", text)
    cpu_points = {point.filters: point for point in cpu.clean}
    pairs = [(point, cpu_points[point.filters]) for point in gpu.clean if point.filters in cpu_points]
    if not pairs:
        text = f"{gpu.label} and {cpu.label} share no number of filters that both measured without doubt."
        return Statement("no common size", text)
    speedups = {g.filters: c.seconds / g.seconds for g, c in pairs}
    listing = join_words([f"{write_number(ratio)} ({size} filters)" for size, ratio in speedups.items()])
    faster_sizes = [
        g.filters for g, c in pairs if min(g.timings, c.timings) >= LEAST_TIMINGS and g.high < c.low
    ]
    place = f"at {name_values(faster_sizes)} filters" if faster_sizes else "at none of these sizes"
    text = (
        f"Speed-up of the {gpu.label} over the {cpu.label}: {listing}. By more than the spread of the "
        f"epochs, the GPU is faster {place}."
    )
    # Timings vary by a few per cent: a rise is stated only if it is larger than that, and has no step down.
    ratios = list(speedups.values())
    if ratios[-1] > 1.1 * ratios[0] and all(before <= after for before, after in pairwise(ratios)):
        text += " The speed-up grows with the size."
    numbers = {f"speed-up {size}": ratio for size, ratio in speedups.items()}
    return Statement("speed-up", text, cite(*(point for pair in pairs for point in pair)), numbers)
