"""A command in which happens what its flag says, a line of Python."""

import jax
import numpy as np
from absl import flags

from memorize_jax.commands import cli


def define():
    cli.flags_of_all()
    cli.flag("happens", "A line of Python.")


def main():
    exec(flags.FLAGS.happens, {"jax": jax, "np": np})


if __name__ == "__main__":
    cli.start(main, define)
