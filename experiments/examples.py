"""Takes a few training images out of a run, with the labels they have and the labels they were given."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("examples")
