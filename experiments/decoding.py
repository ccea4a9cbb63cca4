"""Reads true labels out of the layers of a network that memorized wrong ones."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("decoding")
