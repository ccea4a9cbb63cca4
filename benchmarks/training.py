"""Speed of training beside PyTorch, and of an ensemble beside its members one after another, in one run.

    python -m benchmarks.training --quick            # a minute, prints only
    python -m benchmarks.training --write            # into docs/performance.md

PyTorch is optional: `pip install torch`. It gets the same layers, batch and precision, channels_last and torch.compile,
data on its device and Adam; both are timed in turns after compilation.
"""

import importlib.util
import time
from collections.abc import Callable

import jax
import numpy as np
from absl import app, flags

from benchmarks import document
from benchmarks.clock import time_together
from benchmarks.tables import table
from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels, Split, Splits
from memorize_jax.training import Trainer, stack
from memorize_jax.training.devices import replicate, split_batches

MODULE = "benchmarks.training"
# Dense multiply-adds per second of one device: (TF32 or float32, bfloat16), from the makers' data sheets, in FLOP/s.
PEAKS = {"NVIDIA H200": {"tf32": 494e12, "bfloat16": 989e12}, "NVIDIA H100": {"tf32": 494e12, "bfloat16": 989e12}}

FLAGS = flags.FLAGS
flags.DEFINE_bool("quick", False, "small sizes")
flags.DEFINE_bool("write", False, "write the tables into docs/performance.md")
flags.DEFINE_integer("repeats", 5, "timed turns")


def invent_data(shape: tuple[int, ...], num_classes: int, num: int) -> tuple[Splits, PermutedLabels]:
    """Random images with random labels."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(num, *shape), dtype=np.uint8)
    labels = rng.integers(0, num_classes, size=num).astype(np.int32)
    split = Split(images, labels, num_classes, "random")
    return Splits(split, split), PermutedLabels(labels, labels, np.zeros(num, bool))


def compiled_step(trainer: Trainer) -> tuple[Callable, float]:
    """Compiles the step: gives a call that does one, and the seconds of the first call."""
    config = trainer.config
    batch = split_batches(np.arange(config.batch_size), config.batch_size, trainer.num_devices)[0]
    holder = [replicate(trainer.initial_state())]

    def step():
        holder[0], loss = trainer.step(holder[0], batch)
        return loss

    started = time.perf_counter()
    jax.block_until_ready(step())
    return step, time.perf_counter() - started


def network_section(cases, repeats: int) -> str:
    """Times one training step of every network and precision; Markdown."""
    records = []
    has_torch = importlib.util.find_spec("torch") is not None
    for model, width, batch_size, multiply_adds in cases:
        shape = (28, 28, 1) if model == "mlp" else (32, 32, 3)
        dtypes = ("float32",) if jax.default_backend() == "cpu" else ("tf32", "bfloat16")
        for dtype in dtypes:
            config = RunConfig(model=model, width=width, batch_size=batch_size, dtype=dtype, init="torch")
            trainer = Trainer(config, *invent_data(shape, 100, batch_size))
            step, first = compiled_step(trainer)
            calls = {"ours": step}
            if has_torch:
                from benchmarks import torch_networks

                calls["torch"] = torch_networks.step_of(model, width, batch_size, shape, dtype)
            timed = {name: found[0] for name, found in time_together(calls, repeats=repeats).items()}
            seconds = timed["ours"].best
            peak = PEAKS.get(jax.devices()[0].device_kind, {}).get(dtype)
            # Forward and backward are three times forward; a multiply-add is two operations.
            flops = 6 * multiply_adds * batch_size / seconds
            records.append(
                {"network": model, "width": width, "batch": batch_size, "precision": dtype}
                | {"images/s": batch_size / seconds, "ms": 1e3 * seconds, "GFLOP/s": flops / 1e9}
                | {"share of peak": flops / peak if peak else None, "first call s": first}
                | {"PyTorch ms": 1e3 * timed["torch"].best if "torch" in timed else None}
                | {"x PyTorch": timed["torch"].best / seconds if "torch" in timed else None}
            )
    return f"""### One training step

Random images; forward, backward and Adam. Operations are counted as 6 x multiply-adds x images. The first call compiles.

{table(records)}
"""


def ensemble_section(widths, num_seeds: int, batch_size: int, repeats: int) -> str:
    """Times an epoch of an ensemble of MLPs as one program and one member after the other; Markdown."""
    records = []
    for width in widths:
        splits, labels = invent_data((28, 28, 1), 10, 4 * batch_size)
        config = RunConfig(width=width, batch_size=batch_size)
        of_all = PermutedLabels(*map(np.asarray, stack([labels] * num_seeds)))
        ensemble = Trainer(config, splits, of_all, seeds=range(num_seeds))
        alone = Trainer(config, splits, labels)
        states, state = [ensemble.initial_state()], [alone.initial_state()]

        def together(ensemble=ensemble, states=states):
            states[0] = ensemble.run_epoch(states[0], 1)
            return states[0].step

        def one_by_one(alone=alone, state=state):
            for _ in range(num_seeds):
                state[0] = alone.run_epoch(state[0], 1)
            return state[0].step

        found = time_together({"together": together, "one by one": one_by_one}, repeats=repeats)
        seconds = {name: timing.best for name, (timing, _) in found.items()}
        ratio = seconds["one by one"] / seconds["together"]
        columns = {f"{name} s": spent for name, spent in seconds.items()}
        records.append({"width": width, "seeds": num_seeds, **columns, "x": ratio})
    return f"""### An ensemble of MLPs

{num_seeds} seeds, four batches of {batch_size}: one vmapped program (`--together`), or one member after the other.

{table(records)}
"""


def main(argv: list[str]) -> None:
    """Runs the sections."""
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    on_cpu = jax.default_backend() == "cpu"
    cases = [("mlp", 512 if on_cpu else 1024, 1024, 1.45e6 if on_cpu else 5.1e6)]
    if not FLAGS.quick:
        # Multiply-adds of an image at full width; those of a narrow network go with the square of the width.
        width, batch = (8, 64) if on_cpu else (64, 1024)
        scale = (width / 64) ** 2
        cases += [("alexnet", 64, batch, 22.1e6), ("vgg16", width, batch, 332.5e6 * scale)]
        cases += [("resnet18", width, batch, 555.5e6 * scale)]
    texts = [
        network_section(cases, FLAGS.repeats),
        ensemble_section((64, 512) if on_cpu else (64, 1024), 10, 256 if FLAGS.quick else 1024, FLAGS.repeats),
    ]
    document.finish(MODULE, texts, write_too=FLAGS.write)


if __name__ == "__main__":
    app.run(main)
