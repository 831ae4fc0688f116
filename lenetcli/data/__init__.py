"""Data sets: found, downloaded, verified, read and split; the synthetic digits."""
