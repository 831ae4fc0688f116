"""The frozen dataclasses that all packages share: configurations, runs and sweeps."""
