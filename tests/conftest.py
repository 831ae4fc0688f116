import signal
from types import SimpleNamespace

import pytest
from hypothesis import settings

for helper in ("command", "fault_checks", "fault_workers", "store_contract", "trainer_contract"):
    pytest.register_assert_rewrite(f"helpers.{helper}")

# An example takes as long as the machine is busy.
settings.register_profile("untimed", parent=settings(), deadline=None)
settings.load_profile("untimed")

# Whoever runs the tests may ignore signals (in the background, with nohup), and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
for ending in {"SIGTERM", "SIGHUP"} & {member.name for member in signal.Signals}:
    signal.signal(signal.Signals[ending], signal.SIG_DFL)


@pytest.fixture(scope="session")
def engine():
    """The modules of the engine, with TensorFlow set up once for the process, before its first operation."""
    from lenetcli.experiment.config import DeviceKind
    from lenetcli.training.engine import backend, lenet, loop, network

    backend.configure(DeviceKind.CPU, 0, 2)
    return SimpleNamespace(backend=backend, lenet=lenet, loop=loop, network=network)
