"""What training does to a run's folder before the first step and after every epoch."""

import contextlib
import pathlib
from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np

from experiments.presets import Preset
from experiments.record import command_line
from memorize_jax import data, models
from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels, Splits
from memorize_jax.keys import stream
from memorize_jax.runs.folder import Run, check_writable
from memorize_jax.runs.labels import read_labels, write_labels
from memorize_jax.runs.metrics import write_metrics
from memorize_jax.runs.noted import Noted, begin, check_same_data, check_same_run, read_noted
from memorize_jax.storage.checkpoints import EpochStore, check_space
from memorize_jax.storage.tensorboard import check_installed, event_file
from memorize_jax.training import Epoch, create_state, optimizer


def prepare(
    workdir: str | pathlib.Path, config: RunConfig, splits: Splits | None = None
) -> tuple[Splits, PermutedLabels]:
    """Checks everything that can be wrong before anything is written, and loads what the run needs.

    Args:
      workdir: folder of the run.
      config: RunConfig.
      splits: the data, if they were loaded before.

    Returns:
      (data, training labels).

    Raises:
      ValueError, OSError: one clear sentence.
    """
    config.validate()
    if config.tensorboard:
        check_installed()
    folder = Run(workdir)
    check_writable(folder.workdir)
    check_same_run(folder, config)
    splits, labels = load_run_data(config, splits)
    if folder.config.is_file():
        _check_data(folder, splits)
    _check_space(folder, config, splits)
    return splits, labels


def _check_data(folder, splits):
    """Refuses to go on with other data, or with labels.npz of another run."""
    noted = read_noted(folder)
    check_same_data(folder, noted, splits, read_labels(folder, noted) if folder.labels.is_file() else None)


def enter(
    folder: Run,
    config: RunConfig,
    splits: Splits,
    labels: PermutedLabels,
    plan: Mapping | None,
    *,
    together: Sequence[int] = (),
) -> Noted:
    """Writes what a run says about itself when it is begun; checks it when the run goes on. Needs the lock.

    Args:
      folder: of the run.
      config: RunConfig.
      splits: the data.
      labels: of the training set.
      plan: of `Preset.plan`, noted when the run is begun; None for the defaults.
      together: seeds that are about to be trained as one program with this one.

    Raises:
      ValueError: the folder holds another run, or one that was trained in another way.
    """
    # Once more: another process may have made a run here since `prepare`.
    check_same_run(folder, config)
    if folder.config.is_file():
        _check_data(folder, splits)
        if (way := list(read_noted(folder).together)) != list(together):
            how = f"together with seeds {', '.join(map(str, way))}, in their ensemble's folder" if way else "alone"
            raise ValueError(f"the run in {folder.workdir} was trained {how}, and goes on in that way only")
    plan = {**(plan or Preset("", config).plan()), "together": list(together)}
    noted = begin(folder, config, splits, plan, command_line())
    if not folder.labels.is_file():
        write_labels(folder, labels, config, noted.identity)
    return noted


def load_run_data(config: RunConfig, splits: Splits | None = None) -> tuple[Splits, PermutedLabels]:
    """Loads the data of a run and permutes its labels; touches no folder of the run.

    Args:
      config: RunConfig.
      splits: the data, if they were loaded before.

    Returns:
      (data, training labels).
    """
    splits = splits or data.load(config.dataset, data_dir=config.data_dir, num_train=config.num_train)
    models.check_input(config.model, splits.train.images.shape[1:])
    labels = data.permute_labels(
        splits.train.labels,
        config.permuted_fraction,
        key=stream(config.seed, "permutation"),
        num_classes=splits.train.num_classes,
        mode=config.permutation,
    )
    return splits, labels


def _check_space(folder, config, splits):
    """Raises OSError unless all epochs fit on the disk."""
    model = models.create(config.model, num_classes=splits.train.num_classes, width=config.width, init=config.init)
    sample = jax.ShapeDtypeStruct((1, *splits.train.images.shape[1:]), np.float32)
    tx = optimizer(config.learning_rate)
    state = jax.eval_shape(lambda sample: create_state(model, sample, seed=config.seed, tx=tx), sample)
    size = lambda leaf: leaf.size * leaf.dtype.itemsize
    check_space(
        folder.checkpoints,
        config.keep,
        config.keep_dtype,
        epochs=config.epochs,
        leaf_bytes=[size(leaf) for leaf in jax.tree.leaves(state.variables)],
        state_bytes=[size(leaf) for leaf in jax.tree.leaves(state)],
    )


def open_store(folder: Run, noted: Noted) -> EpochStore:
    """The store of a run's networks, for training."""
    config = noted.config
    return EpochStore(folder.checkpoints, keep=config.keep, keep_dtype=config.keep_dtype, identity=noted.identity)


def curves(
    folder: Run, config: RunConfig, rows: list[dict]
) -> contextlib.AbstractContextManager[Callable[[dict], None]]:
    """The event file of a run, see `event_files.event_file`; without `config.tensorboard`, one that takes nothing."""
    return event_file(folder.events, rows) if config.tensorboard else contextlib.nullcontext(lambda row: None)


def store_epoch(
    folder: Run,
    store: EpochStore,
    rows: list[dict],
    epoch: Epoch,
    *,
    identity: str | None,
    stop: bool,
    draw: Callable[[dict], None],
    with_state: bool = True,
) -> bool:
    """Stores a finished epoch's network and its row of metrics.csv.

    Args:
      folder: of the run.
      store: of the run.
      rows: of the epochs before; this one's is appended.
      epoch: the epoch.
      identity: of the run.
      stop: the process is about to end, so that the training state must be stored too.
      draw: takes the row, for the curves.
      with_state: whether the training state may be stored with it.

    Returns:
      Whether the training state is stored.
    """
    if not folder.config.is_file():
        raise FileNotFoundError(f"{folder.workdir} is gone; was the run moved or deleted?")
    rows.append({"epoch": epoch.number, **epoch.metrics})
    accuracies = [row["test_accuracy"] for row in rows]
    complete = epoch.is_last or stop
    state = epoch.state if with_state or complete else None
    stored = store.save(epoch.number, epoch.state.variables, state, complete=complete, test_accuracies=accuracies)
    write_metrics(folder.workdir, rows, identity)
    draw(rows[-1])
    return stored
