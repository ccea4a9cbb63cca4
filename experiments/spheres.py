"""Takes some coordinates of two of the synthetic classes out of a run: what can be told apart on which axis."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("spheres")
