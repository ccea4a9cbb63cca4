"""Draws the last hidden layer, and an earlier one, in the plane: who is near whom, before and after memorizing."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("umap")
