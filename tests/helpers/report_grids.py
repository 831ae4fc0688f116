"""Made-up sweeps over several parameters, for the report and the choice of sweeps."""

import itertools
from dataclasses import replace

from helpers.made_up import BASE, make_run, make_sweep

from lenetcli.experiment.sweep import Cell

EPOCHS = 6


def grid_sweep(axes, finals, *, seeds=1, epochs=EPOCHS, base=BASE, spread=0.0005, **options):
    """A grid whose runs end with the accuracies of ``finals``, by point; further seeds end a little apart.

    A point that ``finals`` lacks has not begun; of a pair, the second is a mapping of options of its run.
    """
    cells = []
    for point in itertools.product(*axes.values()):
        for seed in range(seeds):
            config = replace(base, **dict(zip(axes, point, strict=True)), seed=seed)
            final = finals.get(point)
            final, run_options = final if isinstance(final, tuple) else (final, {})
            last = None if final is None else round(final + spread * (0, 1, -1)[seed % 3], 4)
            steps = [] if last is None else [round(last - 0.4 * 0.4**n, 4) for n in range(1, epochs)] + [last]
            curve = steps[: run_options.get("epochs", epochs)]
            run_options = {name: value for name, value in run_options.items() if name != "epochs"}
            seconds = 0.3 * config.filters + 0.01 * seed
            run = None
            if last is not None:
                run = make_run(config, curve, target=epochs, seconds=seconds, **run_options)
            cells.append(Cell(config=config, run=run))
    return replace(make_sweep(list(axes), epochs, cells), **options)
