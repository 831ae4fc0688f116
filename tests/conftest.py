import pytest


@pytest.fixture(scope="session")
def room():
    """The TensorFlow room, set up once for the process: before the first operation, or not at all."""
    from lenetcli import training
    from lenetcli.runs import DeviceKind

    training.configure(DeviceKind.CPU, 0, 2)
    return training
