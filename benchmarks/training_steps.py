"""One training step of a network, ours and PyTorch's, and an epoch of an ensemble together or one by one."""

import importlib.util
import time
from collections.abc import Callable

import jax
import numpy as np

from benchmarks.clock import time_together
from benchmarks.invented import invent_data
from benchmarks.machines import machine_of
from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels
from memorize_jax.training import Trainer, stack
from memorize_jax.training.devices import replicate, split_batches

# Networks that PyTorch has here, see torch_networks.
IN_TORCH = ("alexnet", "mlp", "resnet18", "vgg16")


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


def step_record(
    model: str,
    width: int | None,
    batch_size: int,
    multiply_adds: float,
    dtype: str,
    repeats: int,
    with_torch: bool = True,
) -> dict:
    """Times a training step beside PyTorch's, where that is installed.

    Args:
      multiply_adds: of one image, forward.
    """
    shape = (28, 28, 1) if model == "mlp" else (32, 32, 3)
    config = RunConfig(model=model, width=width, batch_size=batch_size, dtype=dtype, init="torch")
    step, first = compiled_step(Trainer(config, *invent_data(shape, 100, batch_size)))
    calls = {"ours": step}
    if with_torch and model in IN_TORCH and importlib.util.find_spec("torch") is not None:
        from benchmarks import torch_networks

        calls["torch"] = torch_networks.step_of(model, width, batch_size, shape, dtype)
    timed = {name: found[0] for name, found in time_together(calls, repeats=repeats).items()}
    seconds = timed["ours"].best
    machine = machine_of(jax.devices()[0].device_kind)
    peak = machine.products.get(dtype) if machine else None
    # Forward and backward are three times forward; a multiply-add is two operations.
    flops = 6 * multiply_adds * batch_size / seconds
    return (
        {"network": model, "width": width, "batch": batch_size, "precision": dtype}
        | {"images/s": batch_size / seconds, "ms": 1e3 * seconds, "GFLOP/s": flops / 1e9}
        | {"share of peak": flops / peak if peak else None, "first call s": first}
        | {"PyTorch ms": 1e3 * timed["torch"].best if "torch" in timed else None}
        | {"x PyTorch": timed["torch"].best / seconds if "torch" in timed else None}
    )


def ensemble_record(width: int, num_seeds: int, batch_size: int, repeats: int) -> dict:
    """Times an epoch of four batches of an ensemble of MLPs as one program and one member after the other."""
    splits, labels = invent_data((28, 28, 1), 10, 4 * batch_size)
    config = RunConfig(width=width, batch_size=batch_size)
    of_all = PermutedLabels(*map(np.asarray, stack([labels] * num_seeds)))
    ensemble = Trainer(config, splits, of_all, seeds=range(num_seeds))
    alone = Trainer(config, splits, labels)
    states, state = [ensemble.initial_state()], [alone.initial_state()]

    def together():
        states[0] = ensemble.run_epoch(states[0], 1)
        return states[0].step

    def one_by_one():
        for _ in range(num_seeds):
            state[0] = alone.run_epoch(state[0], 1)
        return state[0].step

    found = time_together({"together": together, "one by one": one_by_one}, repeats=repeats)
    seconds = {name: timing.best for name, (timing, _) in found.items()}
    ratio = seconds["one by one"] / seconds["together"]
    return {"width": width, "seeds": num_seeds, **{f"{name} s": spent for name, spent in seconds.items()}, "x": ratio}
