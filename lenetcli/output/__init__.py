"""Output: the records of runs and sweeps, figures, and the report."""
