"""Judges the paper's statements by the tables of a run, an ensemble or a sweep."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("claims")
