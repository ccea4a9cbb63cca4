"""Measures the geometry of the class manifolds, layer by layer, for the four groups of examples."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("geometry")
