"""Small-CNN experiments that can be trusted: train, sweep, measure, plot and report."""

__version__ = "0.1.0"
