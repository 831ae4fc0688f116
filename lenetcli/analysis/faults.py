"""Statements on the faults of data, which stand before what is concluded from accuracies on it."""

from lenetcli.analysis.statements import Paragraph, Statement
from lenetcli.experiment.dataset_faults import MENDS, find_faults, write_shuffle
from lenetcli.experiment.datasets import Dataset
from lenetcli.experiment.sweep import Sweep


def conclude_faults(sweep: Sweep, dataset: Dataset | None) -> Paragraph:
    """The faults of the data of a sweep, each with the command that mends it, if any does."""
    if dataset is None:
        return ()
    faults = find_faults(dataset.summary, sweep.dataset_name)
    runs = tuple(run.id for run in sweep.runs)
    return tuple(
        Statement(
            "data",
            fault.text,
            runs,
            fault.numbers,
            command=write_shuffle(sweep.request.data) if fault.is_of_order else "",
            purpose=MENDS,
        )
        for fault in faults
    )
