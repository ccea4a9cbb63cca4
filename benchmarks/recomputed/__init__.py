"""Rows of a run's tables, computed again by other means: `python -m benchmarks.recomputed`."""
