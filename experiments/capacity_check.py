"""Compares mean-field and joint capacity with simulated capacity: the same manifolds, layer by layer, four groups."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("capacity_check")
