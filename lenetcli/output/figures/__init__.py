"""Figures: learning curves, and runtime by number of parameters, as files and in the terminal."""
