"""A trained run, opened for analysis."""

import contextlib
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from experiments.configs import GeometryConfig
from memorize_jax import data
from memorize_jax.analysis import select_epochs
from memorize_jax.checkpoints import DamagedCheckpointError
from memorize_jax.config import RunConfig
from memorize_jax.data import GROUPS, PermutedLabels, Splits
from memorize_jax.keep import kept_epochs
from memorize_jax.keys import stream
from memorize_jax.locks import locked
from memorize_jax.results import METRICS, read_table
from memorize_jax.runs import Run, check_writable, provenance, read_config, read_labels


class Trained(NamedTuple):
    """What every analysis of a run needs.

    Attributes:
      folder: paths.
      config: of the training.
      metrics: table.
      splits: the data.
      labels: of the training set.
    """

    folder: Run
    config: RunConfig
    metrics: pd.DataFrame
    splits: Splits
    labels: PermutedLabels

    def stored(self) -> set[int]:
        """The epochs whose networks the run keeps."""
        kept = kept_epochs(self.config.keep, self.metrics["test_accuracy"].tolist())
        return kept.snapshots | kept.full

    def select_epochs(self, spec: str) -> list[int]:
        """The epochs of `analysis.select_epochs`; all and log mean those that are stored."""
        return select_epochs(spec, self.metrics, self.stored())

    def settings(self, **analysis) -> dict:
        """All that a table's rows depend on, for `partial_tables.make_table`."""
        restores = self.folder.restores.read_text() if self.folder.restores.is_file() else ""
        return {"run": self.config.identity(), "restores": restores, "provenance": provenance(), **analysis}


@contextlib.contextmanager
def opened(workdir: str | pathlib.Path, splits: Splits | None = None) -> Iterator[Trained]:
    """Reads what training left in a folder, and keeps other commands out of it meanwhile.

    Args:
      workdir: folder of the run.
      splits: the data, if they were loaded before.

    Yields:
      Trained.

    Raises:
      ValueError, OSError: one clear sentence.
    """
    folder = Run(workdir)
    # Before the lock, which would make the folder.
    config = read_config(folder)
    with locked(folder.workdir):
        check_writable(folder.workdir)
        metrics = read_table(folder.metrics, METRICS, f"python -m experiments.train --workdir={workdir}")
        splits = splits or data.load(config.dataset, data_dir=config.data_dir, num_train=config.num_train)
        yield Trained(folder, config, metrics, splits, read_labels(folder))


def choose_examples(
    splits: Splits, labels: PermutedLabels, config: GeometryConfig, *, seed: int
) -> dict[str, np.ndarray]:
    """Chooses the examples of every group's manifolds.

    Args:
      splits: the data.
      labels: of the training set.
      config: GeometryConfig.
      seed: of the run.

    Returns:
      group -> [P, M] indices into the training set (the test set for "test"); a group that is empty in this run
      is left out.

    Raises:
      ValueError: classes have too few examples; names them all.
    """
    groups = data.example_groups(labels, splits.test.labels)
    chosen, problems = {}, []
    for name in GROUPS:
        if not len(groups[name].indices):
            continue
        try:
            chosen[name] = data.manifold_indices(
                groups[name],
                num_classes=splits.train.num_classes,
                examples_per_class=config.examples_per_class,
                key=stream(seed, "geometry examples"),
                name=name,
                max_classes=config.max_classes,
            )
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("; ".join(problems))
    return chosen


def geometry_options(config: GeometryConfig) -> tuple[tuple[str, object], ...]:
    """What `analysis.network_geometry` is asked: its options with their names, as jit's static argument."""
    components = None if config.num_center_components < 0 else config.num_center_components
    return (
        ("num_draws", config.num_draws),
        ("kappa", config.kappa),
        ("num_center_components", components),
        ("compat", config.compat),
    )


@contextlib.contextmanager
def mendable() -> Iterator[None]:
    """Adds to the error about a network that is damaged or gone what mends it."""
    try:
        yield
    except (DamagedCheckpointError, FileNotFoundError) as error:
        raise ValueError(f"{error}; the command that trained the run mends it") from error
