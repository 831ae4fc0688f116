"""Statements on the growth of parameters and runtime with the number of filters."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from lenetcli.analysis.inference import fit_exponent
from lenetcli.analysis.runtimes import LEAST_POINTS, DeviceSeries, RuntimePoint, RuntimeSeries
from lenetcli.analysis.statements import REMEASURES, Paragraph, Statement, cite
from lenetcli.experiment.architecture import convolution_share, dense_share, filters_at, parameter_law
from lenetcli.experiment.config import RECIPE, Config, DeviceKind
from lenetcli.experiment.sweep import Sweep, write_command
from lenetcli.words import MOST_VALUES, join_words, name_counts, plural, write_number

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


def conclude_runtimes(series: RuntimeSeries, sweeps: Sequence[Sweep] = ()) -> tuple[Paragraph, ...]:
    """All that the runtimes show on their growth, and on speed-ups.

    Doubtful points are left out, and named with the command that measures them again; where all of a device
    are doubtful, their ratio is said with that caveat. ``sweeps`` are those of the series.
    """
    gpus = [device for device in series.devices if device.kind is DeviceKind.GPU]
    cpus = [device for device in series.devices if device.kind is DeviceKind.CPU]
    growth = [statement for device in series.devices for statement in _conclude_growth(device)]
    doubts = [statement for device in series.devices for statement in _conclude_doubts(device, sweeps)]
    pairs = [(gpu, cpu) for gpu in gpus for cpu in cpus]
    speedups = [_conclude_speedup(gpu, cpu) for gpu, cpu in pairs if _is_like(gpu, cpu)]
    if pairs and not speedups:
        speedups = [_name_difference(*pairs[0])]
    reasons = [_explain_growth(series.devices)] if growth or doubts else []
    is_compared = growth or any(one.topic == "speed-up" for one in speedups)
    spread = [_describe_spread(series.devices)] if is_compared else []
    return tuple(filter(None, (tuple(reasons), (*growth, *doubts, *spread), tuple(speedups))))


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
    if any(device.kind is DeviceKind.GPU for device in devices):
        text += (
            " A GPU has thousands of arithmetic units, which a small network does not fill: there, a larger "
            "network takes hardly longer, until the units are busy."
        )
    return Statement("reason", text, (), {"dense": dense, "convolution": convolution})


def _conclude_growth(device: DeviceSeries) -> Iterator[Statement]:
    """Statements on the runtime of the largest against the smallest size, and on the overhead."""
    points = device.clean
    if len(points) < 2:
        return
    small, large = points[0], points[-1]
    time_factor, size_factor = large.seconds / small.seconds, large.parameters / small.parameters
    # Opposite ends bound the ratio; it differs from proportion if both bounds are on the same side, and the
    # digits show it.
    least, most = large.low / small.high, large.high / small.low
    differs = write_number(time_factor) != write_number(size_factor)
    is_known = small.has_spread and large.has_spread
    if not is_known:
        verdict = "too few epochs were timed to compare the two"
    elif differs and least > size_factor:
        verdict = "it grows faster than they do"
    elif differs and most < size_factor:
        verdict = "it grows more slowly than they do"
    else:
        verdict = "whether it grows faster than they do, the spread of the times hides"
    bounds = ""
    if is_known and write_number(least) != write_number(most):
        bounds = f" ({write_number(least)} to {write_number(most)})"
    text = (
        f"On the {device.label}, training with {plural(large.filters, 'filter')} takes "
        f"{write_number(time_factor)}{bounds} times as long as with {small.filters}, for "
        f"{write_number(size_factor)} times the parameters: {verdict}"
    )
    numbers = {"growth": time_factor, "least": least, "most": most}
    solid = device.solid
    if len(solid) > 2 and device.law is None:  # two laws of the same times would only confuse
        power = fit_exponent([p.filters for p in solid], [p.seconds for p in solid])
        assert power.margin is not None
        numbers |= {"exponent": power.exponent, "margin": power.margin}
        text += (
            f". As a power of the number of filters, runtime has the exponent {power.exponent:.2f} ± "
            f"{power.margin:.2f} (95%)"
        ).replace("-", "−")
    yield Statement("growth", f"{text}.", cite(*points), numbers)
    if len(solid) >= LEAST_POINTS:
        yield _conclude_overhead(device)


def _conclude_overhead(device: DeviceSeries) -> Statement:
    """The statement on the size at which fixed overhead and arithmetic take the same time."""
    points, law = device.solid, device.law
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
        about = plural(round(turn), "filter")
        phrase = f"overhead takes most of the time below about {about}, the arithmetic above"
    text = f"A {fit} meets every point within {max(1, math.ceil(100 * law.misfit))}%: {phrase}."
    return Statement("overhead", text, cite(*points), numbers)


def _conclude_doubts(device: DeviceSeries, sweeps: Sequence[Sweep]) -> Iterator[Statement]:
    """A statement on the points in doubt of a device that the command in it measures again, if any.

    Where fewer than two are without doubt, it has the ratio of all.
    """
    passing = [point for point in device.points if point.passing]
    if not passing:
        return
    reasons = join_words(list(dict.fromkeys(point.doubt for point in passing)))
    small, large = device.points[0], device.points[-1]
    numbers = {}
    if len(device.clean) < 2 <= len(device.points):
        factor, size_factor = large.seconds / small.seconds, large.parameters / small.parameters
        numbers = {"growth": factor}
        text = (
            f"On the {device.label}, training with {plural(large.filters, 'filter')} took "
            f"{write_number(factor)} times as long as with {small.filters}, for "
            f"{write_number(size_factor)} times the parameters. That is in doubt ({reasons}), and nothing is "
            "concluded from it."
        )
    else:
        text = (
            f"Left out on the {device.label}, since times are in doubt: "
            f"{name_counts([point.filters for point in passing], 'filter')} ({reasons})."
        )
    yield Statement("doubt", text, cite(*passing), numbers, _write_remeasure(passing, sweeps), REMEASURES)


def _write_remeasure(points: Sequence[RuntimePoint], sweeps: Sequence[Sweep]) -> str:
    """The command that measures points again; empty if there is none."""
    ids = {id for point in points for id in point.ids}
    for sweep in sweeps:  # runs of an older recipe cannot be measured again
        if sweep.base.recipe == RECIPE and any(run.id in ids for run in sweep.runs):
            return f"{write_command(sweep)} --remeasure"
    return ""


def _is_like(gpu: DeviceSeries, cpu: DeviceSeries) -> bool:
    """Whether a ratio of runtimes describes two devices: data, settings and recipe are equal."""
    base = cpu.config
    shared = replace(gpu.config, filters=base.filters, seed=base.seed, shards=base.shards, device=base.device)
    return shared == base


def _name_difference(gpu: DeviceSeries, cpu: DeviceSeries) -> Statement:
    what = "data or settings" if gpu.config.recipe == cpu.config.recipe else "recipes"
    return Statement("unlike", f"{gpu.label} and {cpu.label} are not compared: their {what} differ.")


def _conclude_speedup(gpu: DeviceSeries, cpu: DeviceSeries) -> Statement:
    """The statement on the speed-up at each size measured on both, and on the sizes at which the GPU pays."""
    # A point in doubt would make a disturbance of one machine appear as a difference of the devices. Without
    # others the ratios are said, and nothing is concluded from them.
    pairs = _pair_points(gpu.clean, cpu.clean)
    doubtful = [] if pairs else _pair_points(gpu.points, cpu.points)
    if not pairs and not doubtful:
        text = f"{gpu.label} and {cpu.label} share no number of filters that both measured."
        return Statement("no common size", text)
    speedups = {g.filters: c.seconds / g.seconds for g, c in pairs or doubtful}
    numbers = {f"speed-up {size}": ratio for size, ratio in speedups.items()}
    runs = cite(*(point for pair in pairs or doubtful for point in pair))
    listed = {size: f"{write_number(r)} ({plural(size, 'filter')})" for size, r in speedups.items()}
    listing = join_words(list(listed.values()))
    if len(listed) > MOST_VALUES:
        least, most = (listed[end(speedups, key=speedups.__getitem__)] for end in (min, max))
        listing = f"from {least} to {most}, over {len(listed):,} sizes"
    threads = "" if "thread" in cpu.label else f" with {plural(cpu.threads, 'thread')}"
    text = f"Speed-up of the {gpu.label} over the {cpu.label}{threads}: {listing}"
    if doubtful:
        return Statement("speed-up in doubt", f"{text}; all of that is in doubt, see above.", runs, numbers)
    faster_sizes = [g.filters for g, c in pairs if g.has_spread and c.has_spread and g.high < c.low]
    place = f"at {name_counts(faster_sizes, 'filter')}" if faster_sizes else "at none of these sizes"
    text += f". By more than the spread of the times, the GPU is faster {place}."
    # Timings vary by a few per cent: a rise is stated only if it is larger than that, and has no step down.
    ratios = list(speedups.values())
    if ratios[-1] > 1.1 * ratios[0] and all(before <= after for before, after in pairwise(ratios)):
        text += " The speed-up grows with the size."
    return Statement("speed-up", text, runs, numbers)


def _pair_points(
    gpu: Sequence[RuntimePoint], cpu: Sequence[RuntimePoint]
) -> list[tuple[RuntimePoint, RuntimePoint]]:
    """The points of both devices of each size that both have."""
    cpu_points = {point.filters: point for point in cpu}
    return [(point, cpu_points[point.filters]) for point in gpu if point.filters in cpu_points]


def _describe_spread(devices: Sequence[DeviceSeries]) -> Statement:
    """The statement on what the spread of the times is, and what it does not tell."""
    counts = {len(point.ids) for device in devices for point in device.clean}
    if counts == {1}:
        text = (
            "There is one run of each size, so that the spread is that of its epochs (their quartiles): how "
            "far the times of several runs would differ is not known."
        )
    elif 1 in counts:
        text = (
            "The spread is from the fastest to the slowest run of a size; where a size has one run, it is "
            "that of its epochs (their quartiles), and how far several would differ is not known."
        )
    else:
        text = "The spread is from the fastest to the slowest run of a size."
    return Statement("spread", text)
