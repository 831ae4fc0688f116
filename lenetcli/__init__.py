"""Small-CNN experiments that can be trusted: train, sweep, measure, plot and report."""

from lenetcli.version import __version__

__all__ = ["__version__"]
