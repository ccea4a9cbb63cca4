"""A training run: its folder, what it says about itself, its labels and metrics."""
