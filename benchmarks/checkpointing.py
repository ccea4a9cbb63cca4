"""What storing every epoch costs training, and how long one layer of one epoch takes to read.

    python -m benchmarks.checkpointing            # prints
    python -m benchmarks.checkpointing --write    # into docs/performance.md

Training is that of the preset `fashion_mnist`; epochs with and without storing take turns, so that a busy moment of
the machine strikes both. Reading is that of a VGG16 with the paper's widths, once with the files in memory and once
after the system was asked to forget them.
"""

import functools
import os
import pathlib
import tempfile
import time

import jax
import numpy as np
from absl import app, flags

from benchmarks import document
from benchmarks.tables import table
from memorize_jax import models
from memorize_jax.presets import get_preset
from memorize_jax.runs.prepare import load_run_data
from memorize_jax.storage.checkpoints import EpochStore
from memorize_jax.storage.tables import METRICS, write_table
from memorize_jax.training import Trainer

MODULE = "benchmarks.checkpointing"
MOST_SHARE = 0.05
MOST_SECONDS = 0.06

FLAGS = flags.FLAGS
flags.DEFINE_bool("write", False, "write the tables into docs/performance.md")
flags.DEFINE_integer("turns", 3, "of training with and without storing")
flags.DEFINE_integer("epochs", 3, "in each turn")
flags.DEFINE_string("preset", "fashion_mnist", "whose training is timed")


def _turn(trainer, state, number, epochs, store, folder):
    """Seconds and processor seconds of some epochs; with a store, until everything is on disk."""
    wall, cpu, waits = time.perf_counter(), time.process_time(), []
    for epoch in range(number, number + epochs):
        state = trainer.run_epoch(state, epoch)
        metrics = trainer.evaluate(state.variables)
        if store is not None:
            started = time.perf_counter()
            store.save(epoch, state.variables, state, complete=False)
            rows = [{"epoch": epoch, **metrics, "seconds": 0.0}] * (epoch + 1)
            write_table(folder / "metrics.csv", rows, METRICS)
            waits.append(time.perf_counter() - started)
    jax.block_until_ready(state)
    if store is not None:
        store.wait()
    return state, time.perf_counter() - wall, time.process_time() - cpu, waits


def training_section(folder: pathlib.Path, *, preset: str, turns: int, epochs: int) -> str:
    """Times training with and without storing; Markdown."""
    config = get_preset(preset).run
    splits, labels = load_run_data(config)
    trainer = Trainer(config, splits, labels)
    state, number, seconds, waits = trainer.initial_state(), 1, {True: [], False: []}, []
    with EpochStore(folder / "training") as store:
        # The first turn of each compiles and is not counted.
        for turn in range(2 * turns + 2):
            storing = bool(turn % 2)
            state, wall, cpu, waited = _turn(trainer, state, number, epochs, store if storing else None, folder)
            number += epochs
            if turn >= 2:
                seconds[storing].append((wall / epochs, cpu / epochs))
                waits += waited
    filled = sum(path.stat().st_size for path in (folder / "training" / "epochs" / str(number - 1)).rglob("*"))
    (without, without_cpu), (with_, with_cpu) = (np.median(seconds[storing], axis=0) for storing in (False, True))
    least = [min(wall for wall, _ in seconds[storing]) for storing in (False, True)]
    records = [
        {"epoch": "without storing", "median s": without, "least s": least[0], "processor s": without_cpu},
        {"epoch": "with storing", "median s": with_, "least s": least[1], "processor s": with_cpu},
    ]
    share = least[1] / least[0] - 1
    return f"""### Storing every epoch

Preset `{preset}`: {len(labels.assigned)} images, {filled / 1e6:.1f} MB an epoch, written by a thread while training goes on; the
training state, three times as large, from time to time. {turns} turns of {epochs} epochs each way; the last write is waited for.

{table(records)}

Storing costs {100 * share:.1f} % of the least time, {100 * (with_cpu / without_cpu - 1):.1f} % of the processor time; training waits
{1e3 * np.median(waits):.1f} ms an epoch (copying to host memory, writing metrics.csv). Target: at most {100 * MOST_SHARE:.0f} %.
"""


def _forget(folder):
    """Asks the system to drop the files of a folder from memory."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def reading_section(folder: pathlib.Path, *, repeats: int) -> str:
    """Times reading each layer of a VGG16, and all of it; Markdown."""
    model = models.create("vgg16", num_classes=100)
    variables = dict(model.init(jax.random.key(0), np.zeros((1, 32, 32, 3), np.float32), train=False))
    with EpochStore(folder / "reading") as store:
        for epoch in range(2):
            store.save(epoch, variables, variables, complete=False)
        store.wait()
        names, load = models.layer_names("vgg16"), functools.partial(store.load_layers, 1)
        calls, records = [(name, functools.partial(load, [name, f"{name}_bn"])) for name in names], []
        for name, call in [*calls, ("the whole network", functools.partial(store.load, 1))]:
            found, times = call(), {False: [], True: []}
            for forget in (False, True) * repeats:
                if forget:
                    _forget(folder / "reading" / "epochs" / "1")
                started = time.perf_counter()
                call()
                times[forget].append(1e3 * (time.perf_counter() - started))
            size = sum(leaf.nbytes for leaf in jax.tree.leaves(found)) / 1e6
            records.append(
                {"layer": name, "MB": size, "least ms": min(times[False]), "median ms": np.median(times[False])}
                | {"least ms from disk": min(times[True]), "median ms from disk": np.median(times[True])}
            )
    return f"""### Reading one layer of one epoch

VGG16: kernel, bias, BatchNorm's scale, offset and running statistics, with all checksums; {repeats} times each.

{table(records)}

The slowest layer takes at least {max(record["least ms"] for record in records[:-1]):.0f} ms with the files in memory,
{max(record["least ms from disk"] for record in records[:-1]):.0f} ms without. Target: at most {1e3 * MOST_SECONDS:.0f} ms.
"""


def main(argv: list[str]) -> None:
    """Times both."""
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    with tempfile.TemporaryDirectory(prefix="checkpointing") as name:
        folder = pathlib.Path(name)
        texts = [
            reading_section(folder, repeats=7),
            training_section(folder, preset=FLAGS.preset, turns=FLAGS.turns, epochs=FLAGS.epochs),
        ]
    document.finish(MODULE, texts, write_too=FLAGS.write)


if __name__ == "__main__":
    app.run(main)
