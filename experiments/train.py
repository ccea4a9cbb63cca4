"""Trains a network on partly permuted labels and stores every epoch."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("train")
