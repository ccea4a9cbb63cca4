"""Measures how alike layers place the same examples: over epochs, between layers, between runs."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("similarity")
