"""``data`` and ``devices``: what a run would be trained with."""

from lenetcli.cli import options
from lenetcli.experiment.config import DeviceKind, Request


@options.with_request("dataset", "data")
def data(request: Request, as_json: options.JsonOption = False) -> None:
    """Show which data would be used, from where, with counts and checksums."""
    from lenetcli.cli.downloads import find_stoppably
    from lenetcli.cli.screen import console

    source = find_stoppably(lambda find: find(request.dataset, request.data))
    if source.warning:
        console.print_message(source.warning, "bold yellow")
    if as_json:
        names = ("name", "origin", "sha256", "train_images", "validation_images", "test_images")
        fields = {name: getattr(source, name) for name in names}
        console.print_json(fields | {"checksums": dict(source.checksums)})
    else:
        console.print_pairs(
            [
                ("data set", source.name),
                ("from", source.origin),
                ("training images", f"{source.train_images:,}"),
                ("validation images", f"{source.validation_images:,}"),
                ("test images", f"{source.test_images:,}" if source.test_images else "none"),
                ("arrays", f"SHA-256 {source.sha256}"),
                *((name, f"SHA-256 {digest}") for name, digest in source.checksums.items()),
            ]
        )


def devices(as_json: options.JsonOption = False) -> None:
    """List what there is to train on."""
    from lenetcli.cli.screen import console
    from lenetcli.machine.devices import gpu_trouble, list_devices, tensorflow_sees_gpus

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
        console.print_message(trouble, "yellow")
