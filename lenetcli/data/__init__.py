"""Data sets: search, download, verification, reading and split; the synthetic digits."""
