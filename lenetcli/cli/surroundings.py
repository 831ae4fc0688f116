"""``data`` and ``devices``: what a run would be trained with."""

import shlex
from typing import TYPE_CHECKING, Annotated, Any

from lenetcli.cli import options
from lenetcli.errors import UsageError
from lenetcli.experiment.config import DeviceKind, Request
from lenetcli.files import write_output

if TYPE_CHECKING:
    from lenetcli.data.sources import DataSource


@options.with_request("dataset", "data")
def data(
    request: Request,
    as_json: options.JsonOption = False,
    shuffled: Annotated[
        str | None,
        options.option("--shuffle", "FILE.npz", "Write it with the training images in random order."),
    ] = None,
) -> None:
    """Show which data would be used, from where, with images by class and checksums; all of it is read."""
    from lenetcli.cli.downloads import find_stoppably
    from lenetcli.cli.screen import console, data_tables
    from lenetcli.experiment.dataset_faults import write_faults

    if shuffled is not None:
        if as_json:
            raise UsageError("Both --json and --shuffle were given.", "Choose one.")
        _write_shuffled(request, shuffled)
        return
    source = find_stoppably(lambda find: find(request.dataset, request.data, afresh=True))
    if source.warning:
        console.print_message(source.warning, "bold yellow")
    if as_json:
        console.print_json(_data_fields(source))
    else:
        data_tables.print_data(source)
    console.print_notes([*source.notes, *write_faults(source.summary, source.name, request.data)])


def _data_fields(source: "DataSource") -> dict[str, Any]:
    """The JSON object of ``data --json``."""
    from lenetcli.experiment.datasets import name_classes

    return {
        "name": source.name,
        "origin": source.origin,
        "sha256": source.sha256,
        **{f"{name}_images": count for name, count in source.counts._asdict().items()},
        "checksums": dict(source.checksums),
        "classes": list(name_classes(source.name)),
        **{f"{name}_classes": list(getattr(source.summary, name)) for name in source.counts._fields},
    }


def _write_shuffled(request: Request, text: str) -> None:
    """Write the data that would be used to an npz, the images before the split in random order."""
    from lenetcli.cli.downloads import find_stoppably
    from lenetcli.cli.screen import console
    from lenetcli.data.shuffling import shuffle

    target = options.parse_output(text, (".npz",))
    source = find_stoppably(lambda find: find(request.dataset, request.data))
    written = write_output(target, shuffle(source))
    images = source.counts.train + source.counts.validation
    console.print_message(f"{written}: {images:,} images in random order, to be split anew.")
    console.print_message(f"Next: train with --data {shlex.quote(str(target))}", "dim")


def devices(as_json: options.JsonOption = False) -> None:
    """List what there is to train on."""
    from lenetcli.cli.screen import console
    from lenetcli.machine.devices import GUIDE, NO_GPU, gpu_trouble, list_devices, tensorflow_sees_gpus

    there = list_devices()
    count = len(there) - 1 and tensorflow_sees_gpus()
    usable = {device: device.kind is DeviceKind.CPU or device.index < count for device in there}
    trouble = gpu_trouble()
    if as_json:
        console.print_json(
            [
                {"device": one.label, "name": one.name, "memory_bytes": one.memory_bytes, "usable": can}
                for one, can in usable.items()
            ]
        )
    else:
        console.print_pairs(
            (
                device.label,
                f"{device.name}, {(device.memory_bytes or 0) / 2**30:.0f} GiB"
                + ("" if can else " (TensorFlow cannot use it)"),
            )
            for device, can in usable.items()
        )
    if trouble:
        console.print_message(f"{trouble} {GUIDE}", "yellow")
    elif len(there) == 1:
        console.print_message(f"{NO_GPU} {GUIDE}", "dim")
