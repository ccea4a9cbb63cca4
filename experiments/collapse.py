"""Measures how far permuted examples move from their true to their assigned class, and how far classes collapse."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("collapse")
