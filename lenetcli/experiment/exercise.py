"""The lab exercise: the values it sweeps over, and the commands that train them."""

from lenetcli.experiment.config import DeviceKind

LEARNING_RATES = (0.1, 0.01, 0.001, 0.0001)
"""The learning rates of the first sweep."""

FILTERS = {DeviceKind.GPU: (8, 16, 32, 64, 128, 256), DeviceKind.CPU: (8, 16, 32, 64)}
"""The numbers of filters, for each kind of device."""

LEARNING_RATES_COMMAND = f"lenetcli sweep lr {' '.join(map(str, LEARNING_RATES))}"
FILTERS_COMMANDS = {
    kind: f"lenetcli sweep filters --device {kind} {' '.join(map(str, sizes))}"
    for kind, sizes in FILTERS.items()
}
