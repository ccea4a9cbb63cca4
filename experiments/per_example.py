"""Says of every training example when it was learned, how hard that was, and how deep in the network it is decided."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("per_example")
