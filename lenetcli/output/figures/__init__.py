"""Figures: learning curves, and parameters against runtime."""
