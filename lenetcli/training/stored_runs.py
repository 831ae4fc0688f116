"""The finished run that a request stands for, where its data cannot be had any more."""

from datetime import UTC, datetime

from lenetcli.data import published
from lenetcli.experiment.config import AUTO, DeviceKind, Request
from lenetcli.experiment.sweep import Cell, Sweep, round_request
from lenetcli.store.store import Store
from lenetcli.training.requests import configure


def find_stored(request: Request, store: Store, device: DeviceKind) -> Sweep | None:
    """The finished run of a checked request as a sweep without axes; None unless there is exactly one.

    It is of the present recipe, on a kind of device, and on any data if the request names a path: what was
    there is not known.
    """
    rounded, _ = round_request(request, ())
    runs = store.find([configure(request, data, device).key for data in store.datasets()]).values()
    named = published.MNIST.name if request.dataset == AUTO else request.dataset
    cut = [run.at(request.epochs) for run in runs if request.data is not None or run.dataset_name == named]
    finished = [run for run in cut if run.state.is_finished()]
    if len(finished) != 1:
        return None
    (run,) = finished
    now = datetime.now(UTC)
    return Sweep(
        axes=(),
        epochs=request.epochs,
        dataset_name=run.dataset_name,
        cells=(Cell(config=run.config, run=run),),
        request=rounded,
        created_at=now,
        last_requested=now,
    )
