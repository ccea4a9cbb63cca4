"""How processor seconds grow with the size of a problem: one size after the other is doubled, and a slope fitted."""

import pathlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.clock import time_together
from benchmarks.invented import invent_data, invent_points
from memorize_jax import geometry
from memorize_jax.config import RunConfig
from memorize_jax.storage.checkpoints import EpochStore
from memorize_jax.training import Trainer

Sizes = Mapping[str, int]


class Growth(NamedTuple):
    """Seconds of one part while one size changes.

    Attributes:
      part: what was timed.
      size: name of what changes.
      base: the other sizes.
      values: of the size.
      seconds: of the processor, for each value.
      slope: exponent, by least squares on logarithms.
    """

    part: str
    size: str
    base: dict[str, int]
    values: tuple[int, ...]
    seconds: tuple[float, ...]
    slope: float

    def at(self, value: float) -> float:
        """Seconds at another value: between two that were timed, or on the line of the slope through the largest."""
        if value <= self.values[-1]:
            return float(np.exp(np.interp(np.log(value), np.log(self.values), np.log(self.seconds))))
        return self.seconds[-1] * (value / self.values[-1]) ** self.slope


def measure(part: str, size: str, call_of: Callable[..., Callable], base: Sizes, values: Sequence[int]) -> Growth:
    """Times what `call_of` makes for every value of a size."""
    seconds = []
    for value in values:
        timing, _ = time_together({part: call_of(**{**base, size: value})}, repeats=2)[part]
        seconds.append(float(timing.cpu))
    slope = float(np.polyfit(np.log(values), np.log(seconds), 1)[0])
    others = {name: number for name, number in base.items() if name != size}
    return Growth(part, size, others, tuple(values), tuple(seconds), slope)


def mean_field(*, P: int, M: int, N: int, draws: int, layers: int) -> Callable[[], Any]:
    """Mean-field geometry with K = 0, so that nothing is searched."""
    points = {str(layer): jnp.asarray(invent_points("classes", (P, M, N), layer)) for layer in range(layers)}
    return lambda: geometry.layer_geometry(points, key=jax.random.key(0), num_draws=draws, num_center_components=0)


def search(*, P: int) -> Callable[[], Any]:
    """The search for shared directions among P centers, K chosen."""
    centers = jnp.asarray(invent_points("classes", (P, 1, 2048))[:, 0])
    gram = centers @ centers.T
    return lambda: geometry.center_structure(gram, key=jax.random.key(0))


def joint(*, P: int, M: int, N: int, draws_a_block: int, at_a_time: int) -> Callable[[], Any]:
    """Joint geometry, so many classes a block, each once."""
    points = jnp.asarray(invent_points("classes", (P, M, N)))
    options = {"num_draws": draws_a_block * (P // at_a_time), "classes_per_draw": at_a_time}
    return lambda: geometry.joint_geometry(points, key=jax.random.key(0), **options)


def epoch(*, examples: int, width: int) -> Callable[[], Any]:
    """An epoch of training an MLP and its evaluation."""
    trainer = Trainer(RunConfig(width=width, batch_size=256), *invent_data((28, 28, 1), 10, examples))
    state = [trainer.initial_state()]

    def run():
        state[0] = trainer.run_epoch(state[0], 1)
        return trainer.evaluate(state[0].variables)["loss"]

    return run


class Storing:
    """An epoch stored, again and again, in a folder of its own; leaving the context removes it."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory()
        self._number = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._folder.cleanup()

    def call(self, *, parameters: int) -> Callable[[], Any]:
        """Stores so many numbers and waits until they are on disk."""
        variables = {"params": {"layer": {"kernel": np.zeros((parameters // 64, 64), np.float32)}}, "batch_stats": {}}
        folder = pathlib.Path(self._folder.name) / str(parameters)

        def store_one():
            self._number += 1
            with EpochStore(folder) as store:
                store.save(self._number, variables, None, complete=False)
                store.wait()

        return store_one


# Sizes of the others while one changes, and the values of that one: all but the number of classes as in ImageNet.
MEAN_FIELD = {"P": 50, "M": 50, "N": 2048, "draws": 300, "layers": 1}
MEAN_FIELD_STEPS = {
    "P": (50, 100, 200),
    "M": (12, 25, 50),
    "N": (512, 2048, 8192),
    "draws": (75, 300, 1200),
    "layers": (1, 2, 4),
}
JOINT = {"P": 20, "M": 50, "N": 500, "draws_a_block": 4, "at_a_time": 20}
JOINT_STEPS = {"P": (20, 40, 80), "M": (12, 25, 50), "draws_a_block": (4, 16, 64)}


def all_growths() -> Iterator[Growth]:
    """Every part, about five minutes on two cores."""
    for size, values in MEAN_FIELD_STEPS.items():
        yield measure("mean-field geometry", size, mean_field, MEAN_FIELD, values)
    yield measure("search for shared directions", "P", search, {}, (25, 50, 100))
    yield measure("search among more than 256", "P", search, {}, (272, 384, 544))
    for size, values in JOINT_STEPS.items():
        yield measure("joint geometry", size, joint, JOINT, values)
    yield measure("an epoch of training", "examples", epoch, {"width": 256}, (2048, 4096, 8192))
    yield measure("an epoch of training", "width", epoch, {"examples": 2048}, (256, 512, 1024))
    with Storing() as storing:
        yield measure("storing an epoch", "parameters", storing.call, {}, (2**18, 2**20, 2**22))
