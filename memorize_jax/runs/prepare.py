"""What training does to a run's folder before the first step: checks everything, then writes what the run is."""

import pathlib
from collections.abc import Mapping, Sequence

import jax

from memorize_jax import data, models
from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels, Splits
from memorize_jax.invocation import given_line
from memorize_jax.keys import stream
from memorize_jax.runs.folder import RunFolder, check_writable
from memorize_jax.runs.keeping import keep_as_begun, say_what_is_kept
from memorize_jax.runs.labels import check_same_labels, read_labels, write_labels
from memorize_jax.runs.loggers import check_installed
from memorize_jax.runs.noted import Noted, begin, check_same_data, check_same_run, read_noted
from memorize_jax.runs.provenance import edited_code
from memorize_jax.storage.checkpoints import check_space
from memorize_jax.training import state_shapes

# What training needs besides a folder: the data, and the labels of the training set.
Prepared = tuple[Splits, PermutedLabels]


def prepare(workdir: str | pathlib.Path, config: RunConfig, splits: Splits | None = None) -> Prepared:
    """Loads what the run needs, unless it is given, and checks what can be wrong before anything is written.

    Raises ValueError or OSError with one clear sentence.
    """
    config.validate()
    check_installed(config)
    folder = RunFolder(workdir)
    check_writable(folder.workdir)
    check_same_run(folder, config)
    splits, labels = load_run_data(config, splits)
    if folder.config.is_file():
        _check_data(folder, splits, labels)
    check_disk([folder], config, splits)
    return splits, labels


def check_disk(folders: Sequence[RunFolder], config: RunConfig, splits: Splits) -> None:
    """Raises OSError, which names a flag that helps, unless the disk has room for the networks of all these runs."""
    config, shapes = keep_as_begun(folders[0], config), state_shapes(config, splits)
    size = lambda leaf: leaf.size * leaf.dtype.itemsize
    check_space(
        [folder.checkpoints for folder in folders],
        config.keep,
        config.keep_dtype,
        epochs=config.epochs,
        leaf_bytes=[size(leaf) for leaf in jax.tree.leaves(shapes.variables)],
        state_bytes=[size(leaf) for leaf in jax.tree.leaves(shapes)],
    )


def load_run_data(config: RunConfig, splits: Splits | None = None) -> Prepared:
    """Loads the data of a run, unless they are given, and permutes its labels; touches no folder of the run."""
    sizes = {"num_train": config.num_train, "image_size": config.image_size}
    splits = splits or data.load(config.dataset, data_dir=config.data_dir, **sizes)
    models.check_input(config.model, splits.train.images.shape[1:])
    labels = data.permute_labels(
        splits.train.labels,
        config.permuted_fraction,
        key=stream(config.seed, "permutation"),
        num_classes=splits.train.num_classes,
        mode=config.permutation,
    )
    return splits, labels


def enter(
    folder: RunFolder, config: RunConfig, prepared: Prepared, plan: Mapping | None, together: Sequence[int]
) -> Noted:
    """Writes what a run says about itself when it is begun, and checks it when the run is resumed. Needs the lock.

    A new run notes the preset and the settings of its `plan`, and the seeds that are trained as one program with it.
    Raises ValueError if the folder holds another run, or one that was trained in another way.
    """
    splits, labels = prepared
    # Once more: another process may have made a run here since `prepare`.
    check_same_run(folder, config)
    if folder.config.is_file():
        _check_data(folder, splits, labels)
        if (way := list(read_noted(folder).together)) != list(together):
            how = f"together with seeds {', '.join(map(str, way))}, in their ensemble's folder" if way else "alone"
            raise ValueError(f"the run in {folder.workdir} was trained {how}, and can only be resumed in that way")
    kept = keep_as_begun(folder, config)
    say_what_is_kept(folder, config, kept)
    noted = begin(folder, kept, splits, {**(plan or {}), "together": list(together)}, given_line())
    if not folder.labels.is_file():
        write_labels(folder, labels, noted.config, noted.identity)
    return noted


def _check_data(folder, splits, labels):
    noted = read_noted(folder)
    held = read_labels(folder, noted) if folder.labels.is_file() else None
    check_same_data(folder, noted, splits, held)
    if held is not None:
        check_same_labels(folder, labels, held)
    if edited := edited_code(noted.own_code or {}):
        raise ValueError(
            f"workdir {folder.workdir} holds a run that was trained with another {edited}: it was edited since; "
            "restore it, or choose another --workdir"
        )
