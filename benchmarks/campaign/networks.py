"""Steps of the campaign that train networks."""

import pathlib
import tempfile
import time
from typing import Any

import jax
import numpy as np

from benchmarks.invented import invent_data
from benchmarks.training_steps import ensemble_record, step_record
from memorize_jax.config import RunConfig
from memorize_jax.storage.checkpoints import EpochStore
from memorize_jax.training import Trainer

Records = list[dict[str, Any]]


def training(workdir: pathlib.Path, **arguments: Any) -> Records:
    """One training step; arguments of `training_steps.step_record`."""
    return [step_record(**arguments)]


def ensemble(workdir: pathlib.Path, *, widths: tuple[int, ...], **arguments: Any) -> Records:
    """An epoch of an ensemble for every width; arguments of `training_steps.ensemble_record`."""
    return [ensemble_record(width, **arguments) for width in widths]


def gradients(workdir: pathlib.Path, *, cases: tuple[tuple, ...]) -> Records:
    """The parts of the gradient at one epoch beside an epoch of training; cases of `benchmarks.gradients.measure`."""
    from benchmarks.gradients import measure

    records = []
    for name, width, shape, num, size in cases:
        epoch, entry = measure(name, width, tuple(shape), num, size)
        sizes = {"network": name, "width": width, "examples": num}
        records.append({**sizes, "forward and backward s": epoch, "entry s": entry, "ratio": entry / epoch})
    return records


def storing(
    workdir: pathlib.Path, *, model: str, width: int | None, batch_size: int, num_batches: int, epochs: int
) -> Records:
    """Seconds of an epoch with and without storing every one, in turns, the last write waited for."""
    config = RunConfig(model=model, width=width, batch_size=batch_size, init="torch")
    shape = (28, 28, 1) if model == "mlp" else (32, 32, 3)
    trainer = Trainer(config, *invent_data(shape, 100, num_batches * batch_size))
    state, number, seconds = trainer.initial_state(), 0, {True: [], False: []}
    with tempfile.TemporaryDirectory(dir=workdir) as folder, EpochStore(pathlib.Path(folder)) as store:
        # The first turn of each compiles and is not counted.
        for turn in range(4):
            stored, started = turn % 2 == 1, time.perf_counter()
            for _ in range(epochs):
                number += 1
                state = trainer.run_epoch(state, number)
                trainer.evaluate(state.variables)
                if stored:
                    store.save(number, state.variables, state, complete=False)
            jax.block_until_ready(state)
            store.wait()
            seconds[stored].append((time.perf_counter() - started) / epochs)
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(jax.tree.map(np.asarray, state.variables)))
    without, stored = (seconds[key][-1] for key in (False, True))
    sizes = {"network": model, "images": num_batches * batch_size, "MB an epoch": size / 1e6}
    return [{**sizes, "epoch s": without, "with storing s": stored, "share": stored / without - 1}]
