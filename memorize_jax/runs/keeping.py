"""Which networks a run that is resumed keeps: those that it kept so far, unless that is changed on purpose."""

import dataclasses
import re

import pandas as pd

from memorize_jax.config import RunConfig
from memorize_jax.epochs import held_out, kept_epochs
from memorize_jax.invocation import given_line
from memorize_jax.progress import warn
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.metrics import stored_rows
from memorize_jax.runs.noted import read_config
from memorize_jax.storage.checkpoints import StoredEpochs

FLAGS = ("keep", "keep_dtype")


def keep_as_begun(folder: RunFolder, config: RunConfig) -> RunConfig:
    """The configuration with the choice of networks that the run in a folder has, unless it is changed on purpose.

    A command line changes a flag that it names: one that it does not name has the value of a preset, which nobody may
    have thought of. Without a command line, from Python, the configuration counts, as long as no stored network goes.
    """
    if not folder.config.is_file():
        return config
    held, line = read_config(folder), given_line()
    is_named = lambda name: re.search(rf"(^|\s)--?{name}(=|\s)", line)
    changed = [name for name in FLAGS if getattr(held, name) != getattr(config, name)]
    if line:
        kept = [name for name in changed if not is_named(name)]
    else:
        kept = changed if changed and leaving(folder, held, config) else []
    return dataclasses.replace(config, **{name: getattr(held, name) for name in kept})


def leaving(folder: RunFolder, held: RunConfig, config: RunConfig) -> list[int]:
    """The epochs whose networks are stored, and are removed or rounded when a run is kept as `config` says."""
    rows = pd.DataFrame(stored_rows(folder), columns=["epoch", "test_accuracy", "restored_accuracy"])
    stored, accuracies = set(StoredEpochs(folder.checkpoints).epochs()), held_out(rows).tolist()
    before, after = kept_epochs(held.keep, accuracies), kept_epochs(config.keep, accuracies)
    lasting = set(before.snapshots) - after.full
    is_rounded = (held.keep_dtype, config.keep_dtype) == ("float32", "bfloat16")
    return sorted(stored & (lasting if is_rounded else lasting - after.snapshots))


def say_what_is_kept(folder: RunFolder, asked: RunConfig, config: RunConfig) -> None:
    """Says in a line what of the choice that was asked for is not followed, or else how many networks it removes.

    Args:
      config: what `keep_as_begun` made of it.
    """
    if not folder.config.is_file():
        return
    flags = lambda own, names=FLAGS: " ".join(f"--{name}={getattr(own, name)}" for name in names)
    held = read_config(folder)
    if other := [name for name in FLAGS if getattr(asked, name) != getattr(config, name)]:
        advice = f"a command line that names {flags(asked, other)} changes that"
        warn(f"{folder.workdir} goes on storing networks with {flags(config, other)}, as so far; {advice}")
    elif flags(config) != flags(held) and (going := leaving(folder, held, config)):
        what = "removed" if config.keep_dtype == held.keep_dtype else "removed or rounded"
        warn(f"{folder.workdir}: {flags(config)}: {len(going)} stored networks are {what}, which {flags(held)} keeps")
