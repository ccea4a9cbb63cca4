"""Measures the label-dependent and the label-independent part of the gradient, layer by layer."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("gradients")
