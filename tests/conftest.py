import signal

import pytest

# Whoever runs the tests may ignore signals (in the background, with nohup), and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
for ending in {"SIGTERM", "SIGHUP"} & {member.name for member in signal.Signals}:
    signal.signal(signal.Signals[ending], signal.SIG_DFL)


@pytest.fixture(scope="session")
def room():
    """The TensorFlow room, set up once for the process: before the first operation, or not at all."""
    from lenetcli.training.engine import loop
    from lenetcli.experiment.config import DeviceKind

    loop.backend.configure(DeviceKind.CPU, 0, 2)
    return loop
