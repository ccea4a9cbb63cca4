"""Sets units of a network to zero until the prediction of an example flips, and counts them by layer."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("flipping")
