"""Draws the figures of the paper from the tables of a run, an ensemble, a sweep, or networks of growing width."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("figures")
