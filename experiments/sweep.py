"""Trains and measures many runs: every combination of models, data sets, fractions, widths and seeds."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("sweep")
