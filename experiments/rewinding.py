"""Rewinds single layers, or sets of them, of a trained network to earlier epochs and measures what is left."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("rewinding")
