"""The table of a data set: where it is from, its images by class, its checksums."""

from collections.abc import Sequence

from lenetcli.cli.screen.console import print_pairs
from lenetcli.cli.screen.tables import Column, print_table
from lenetcli.data.sources import DataSource
from lenetcli.experiment.datasets import name_classes
from lenetcli.words import NONE


def print_data(source: DataSource) -> None:
    """Print a data set."""
    counts, summary = source.counts, source.summary
    print_pairs(
        [
            ("data set", source.name),
            ("from", source.origin),
            ("training images", f"{counts.train:,}"),
            ("validation images", f"{counts.validation:,}"),
            ("test images", f"{counts.test:,}" if counts.test else "none"),
            ("arrays", f"SHA-256 {source.sha256}"),
            *((name, f"SHA-256 {digest}") for name, digest in source.checksums.items()),
        ]
    )

    def column(title: str, counts: Sequence[int]) -> Column[int]:
        return Column(title, lambda one: f"{counts[one]:,}" if counts else NONE, right=True)

    names = name_classes(source.name)
    print_table(
        (
            Column("class", lambda one: names[one]),
            column("training", summary.train),
            column("validation", summary.validation),
            column("test", summary.test),
        ),
        range(len(names)),
    )
