"""Trains networks of growing width on slightly permuted labels, and measures the test manifolds of each."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("double_descent")
