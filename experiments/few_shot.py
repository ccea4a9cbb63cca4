"""Measures how well classes are told apart from a few examples of each, layer by layer, and what decides it."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("few_shot")
