"""Training as a function: what `memorize_jax.train` is."""

import pathlib

from memorize_jax.compilation import kept_compiled
from memorize_jax.config import RunConfig
from memorize_jax.runs.run import Run, open_run
from memorize_jax.runs.train import train_run


@kept_compiled()
def train(config: RunConfig, workdir: str | pathlib.Path) -> Run:
    """Trains the run in a folder, or resumes it, and opens it.

    Raises:
      ValueError, OSError: one clear sentence, before anything is written where that is possible.
      NotFiniteLossError: the loss became NaN or infinite.
    """
    train_run(workdir, config)
    return open_run(workdir)
