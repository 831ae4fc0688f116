"""Whole texts: the paragraphs on parameters and runtimes of some sweeps, as a report has them."""

from dataclasses import replace

import pytest
from helpers.made_up import BASE, CPU_SECONDS, both_sweeps, filters_sweep

from lenetcli.analysis.costs import conclude_parameters, conclude_runtimes
from lenetcli.analysis.runtimes import runtime_series
from lenetcli.experiment.config import DeviceKind

PARAMETERS = [
    (
        BASE,
        [8, 16, 32, 64, 128, 256],
        "With F filters of 3×3 and 128 hidden units there are 9 F² + 6,283 F + 1,418 parameters: 52,258 "
        "for 8 and 2,199,690 for 256 filters, 42.1 times as many for 32 times the filters. The first "
        "fully connected layer holds 96% of them at 8 filters, so that the growth is nearly linear up "
        "to 64 filters; the quadratic part, from the second convolution, makes 27% at 256 and overtakes "
        "the linear one only at about 698 filters.",
    ),
    (
        BASE,
        [16],
        "With F filters of 3×3 and 128 hidden units there are 9 F² + 6,283 F + 1,418 parameters. The "
        "first fully connected layer holds 96% of them at 16 filters, so that the growth is nearly "
        "linear up to 16 filters; the quadratic part, from the second convolution, makes 2% at 16 and "
        "overtakes the linear one only at about 698 filters.",
    ),
    (
        replace(BASE, hidden_units=4, kernel_size=5),
        [64, 128],
        "With F filters of 5×5 and 4 hidden units there are 25 F² + 223 F + 54 parameters: 116,726 for "
        "64 and 438,198 for 128 filters, 3.75 times as many for 2 times the filters. The first fully "
        "connected layer holds 11% of them at 64 filters; the quadratic part, from the second "
        "convolution, makes 93% at 128 and overtakes the linear one only at about 9 filters.",
    ),
    (
        replace(BASE, hidden_units=16),
        [8, 512],
        "With F filters of 3×3 and 16 hidden units there are 9 F² + 795 F + 186 parameters: 7,122 for 8 "
        "and 2,766,522 for 512 filters, 388 times as many for 64 times the filters. The first fully "
        "connected layer holds 88% of them at 8 filters, so that the growth is nearly linear up to 8 "
        "filters; the quadratic part, from the second convolution, makes 85% at 512 and overtakes the "
        "linear one only at about 88 filters.",
    ),
]
RUNTIMES = [
    (
        both_sweeps(),
        [
            "Runtime follows the arithmetic rather than the parameters. The fully connected layer uses each "
            "of its weights once for an image, and they grow in number with F; the second convolution "
            "applies its kernels at every pixel, and they grow in number with F². With 256 filters the "
            "fully connected layer has 73% of the parameters, and the second convolution does 97% of the "
            "multiply-adds. So the runtime of large networks grows faster than their parameters; in small "
            "ones that is hidden by the overhead, the time that a step takes whatever the size. A GPU has "
            "thousands of arithmetic units, which a small network does not fill: there, a larger network "
            "takes hardly longer, until the units are busy.",
            "On the CPU (AMD EPYC 9654), training with 64 filters takes 15.8 (15.4 to 16.1) times as long "
            "as with 8, for 8.43 times the parameters: it grows faster than they do. A fit of overhead plus "
            "time in proportion to the multiply-adds meets every point within 4%: overhead takes most of "
            "the time below about 10 filters, the arithmetic above. On the GPU (NVIDIA H100 80GB HBM3), "
            "training with 256 filters takes 10.2 (9.95 to 10.4) times as long as with 8, for 42.1 times "
            "the parameters: it grows more slowly than they do. A fit of overhead plus time in proportion "
            "to the multiply-adds meets every point within 2%: overhead takes most of the time below about "
            "81 filters, the arithmetic above. There is one run of each size, so that the spread is that of "
            "its epochs (their quartiles): how far the times of several runs would differ is not known.",
            "Speed-up of the GPU (NVIDIA H100 80GB HBM3) over the CPU (AMD EPYC 9654) with 2 threads: 4.19 "
            "(8 filters), 7.81 (16 filters), 18.6 (32 filters) and 40.2 (64 filters). By more than the "
            "spread of the times, the GPU is faster at 8, 16, 32 and 64 filters. The speed-up grows with "
            "the size.",
        ],
    ),
    (
        (filters_sweep(DeviceKind.CPU, {8: 2.6, 16: 5.0, 32: 13.2}),),
        [
            "Runtime follows the arithmetic rather than the parameters. The fully connected layer uses each "
            "of its weights once for an image, and they grow in number with F; the second convolution "
            "applies its kernels at every pixel, and they grow in number with F². With 32 filters the fully "
            "connected layer has 95% of the parameters, and the second convolution does 81% of the "
            "multiply-adds. So the runtime of large networks grows faster than their parameters; in small "
            "ones that is hidden by the overhead, the time that a step takes whatever the size.",
            "On the CPU (AMD EPYC 9654), training with 32 filters takes 5.08 (4.97 to 5.19) times as long "
            "as with 8, for 4.05 times the parameters: it grows faster than they do. As a power of the "
            "number of filters, runtime has the exponent 1.17 ± 1.68 (95%). There is one run of each size, "
            "so that the spread is that of its epochs (their quartiles): how far the times of several runs "
            "would differ is not known.",
        ],
    ),
    (
        (
            filters_sweep(DeviceKind.CPU, {8: 2.6, 16: 5.0}, epochs=2),
            filters_sweep(DeviceKind.GPU, {8: 9.0, 16: 9.1}, epochs=2),
        ),
        [
            "Runtime follows the arithmetic rather than the parameters. The fully connected layer uses each "
            "of its weights once for an image, and they grow in number with F; the second convolution "
            "applies its kernels at every pixel, and they grow in number with F². With 16 filters the fully "
            "connected layer has 96% of the parameters, and the second convolution does 68% of the "
            "multiply-adds. So the runtime of large networks grows faster than their parameters; in small "
            "ones that is hidden by the overhead, the time that a step takes whatever the size. A GPU has "
            "thousands of arithmetic units, which a small network does not fill: there, a larger network "
            "takes hardly longer, until the units are busy.",
            "On the CPU (AMD EPYC 9654), training with 16 filters takes 1.92 times as long as with 8, for "
            "1.99 times the parameters: too few epochs were timed to compare the two. On the GPU (NVIDIA "
            "H100 80GB HBM3), training with 16 filters takes 1.01 times as long as with 8, for 1.99 times "
            "the parameters: too few epochs were timed to compare the two. There is one run of each size, "
            "so that the spread is that of its epochs (their quartiles): how far the times of several runs "
            "would differ is not known.",
            "Speed-up of the GPU (NVIDIA H100 80GB HBM3) over the CPU (AMD EPYC 9654) with 2 threads: 0.289 "
            "(8 filters) and 0.549 (16 filters). By more than the spread of the times, the GPU is faster at "
            "none of these sizes. The speed-up grows with the size.",
        ],
    ),
    (
        (filters_sweep(DeviceKind.CPU, {8: 5.0, 16: 1.0, 32: 9.0, 64: 2.0}),),
        [
            "Runtime follows the arithmetic rather than the parameters. The fully connected layer uses each "
            "of its weights once for an image, and they grow in number with F; the second convolution "
            "applies its kernels at every pixel, and they grow in number with F². With 64 filters the fully "
            "connected layer has 91% of the parameters, and the second convolution does 89% of the "
            "multiply-adds. So the runtime of large networks grows faster than their parameters; in small "
            "ones that is hidden by the overhead, the time that a step takes whatever the size.",
            "On the CPU (AMD EPYC 9654), training with 64 filters takes 0.4 (0.392 to 0.409) times as long "
            "as with 8, for 8.43 times the parameters: it grows more slowly than they do. As a power of the "
            "number of filters, runtime has the exponent −0.08 ± 3.30 (95%). No fit of overhead plus time "
            "in proportion to the multiply-adds describes these runtimes, so that where overhead ends "
            "cannot be read from them. There is one run of each size, so that the spread is that of its "
            "epochs (their quartiles): how far the times of several runs would differ is not known.",
        ],
    ),
    (
        (filters_sweep(DeviceKind.CPU, CPU_SECONDS, seeds=2), filters_sweep(DeviceKind.GPU, {1: 2.0})),
        [
            "Runtime follows the arithmetic rather than the parameters. The fully connected layer uses each "
            "of its weights once for an image, and they grow in number with F; the second convolution "
            "applies its kernels at every pixel, and they grow in number with F². With 64 filters the fully "
            "connected layer has 91% of the parameters, and the second convolution does 89% of the "
            "multiply-adds. So the runtime of large networks grows faster than their parameters; in small "
            "ones that is hidden by the overhead, the time that a step takes whatever the size. A GPU has "
            "thousands of arithmetic units, which a small network does not fill: there, a larger network "
            "takes hardly longer, until the units are busy.",
            "On the CPU (AMD EPYC 9654), training with 64 filters takes 15.8 times as long as with 8, for "
            "8.43 times the parameters: it grows faster than they do. A fit of overhead plus time in "
            "proportion to the multiply-adds meets every point within 4%: overhead takes most of the time "
            "below about 10 filters, the arithmetic above. The spread is from the fastest to the slowest "
            "run of a size; where a size has one run, it is that of its epochs (their quartiles), and how "
            "far several would differ is not known.",
            "GPU (NVIDIA H100 80GB HBM3) and CPU (AMD EPYC 9654) share no number of filters that both "
            "measured.",
        ],
    ),
    (
        (filters_sweep(DeviceKind.CPU, CPU_SECONDS, contended=True),),
        [
            "Runtime follows the arithmetic rather than the parameters. The fully connected layer uses each "
            "of its weights once for an image, and they grow in number with F; the second convolution "
            "applies its kernels at every pixel, and they grow in number with F². With 64 filters the fully "
            "connected layer has 91% of the parameters, and the second convolution does 89% of the "
            "multiply-adds. So the runtime of large networks grows faster than their parameters; in small "
            "ones that is hidden by the overhead, the time that a step takes whatever the size.",
            "On the CPU (AMD EPYC 9654), training with 64 filters took 15.8 times as long as with 8, for "
            "8.43 times the parameters. That is in doubt (others used the machine), and nothing is "
            "concluded from it. This measures again: lenetcli sweep filters 8 16 32 64 --epochs 5 --device "
            "cpu --remeasure",
        ],
    ),
]


@pytest.mark.parametrize(("config", "sizes", "text"), PARAMETERS)
def test_the_text_on_parameters(config, sizes, text):
    assert conclude_parameters(config, sizes).text == text


def write_statement(one):
    return f"{one.text} {one.purpose} {one.command}" if one.command else one.text


@pytest.mark.parametrize(("sweeps", "texts"), RUNTIMES)
def test_the_paragraphs_on_runtimes(sweeps, texts):
    paragraphs = conclude_runtimes(runtime_series(sweeps), sweeps)
    written = [" ".join(map(write_statement, paragraph)) for paragraph in paragraphs]
    assert written == texts
