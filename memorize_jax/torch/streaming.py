"""One batch after the other through a PyTorch network, with the activations that were asked for."""

import inspect
import itertools
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from memorize_jax.memory import check_fits
from memorize_jax.torch.batches import batches_of, count_of, read_batch
from memorize_jax.torch.network import RandomNumbers, input_device, input_dtype, unwrapped
from memorize_jax.torch.pooling import check_pool
from memorize_jax.torch.reading import look_ahead, reader_of

# Relative difference that float16, or another way to convolve a larger batch, can make.
SAME = 0.03
DTYPES = ("float32", "float64")


def stream(
    model: Any,
    loader: Any,
    layers: str | Sequence[str] = "auto",
    pool: str | Callable | Mapping[str, Any] = "flatten",
    *,
    max_examples: int | None = None,
    examples_per_class: int | None = None,
    dtype: str = "float32",
    device: Any = None,
    label: Any = "auto",
    call: Callable | None = None,
    batch_size: int = 64,
    seed: int = 0,
    held: bool = True,
) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray | None]]:
    """Yields (layers, labels) of one batch after the other; what `extract` collects. Arguments not named here are its.

    Args:
      max_examples: stop after so many.
      examples_per_class: only the first so many of every class.
      dtype: of the result; bfloat16 and float16 become it too.
      device: where inputs go; by default to the network's first parameter. The network is not moved.
      label: where the classes are: "auto", the second of a pair or the key "labels" or "label" of a dict; a key; an
        index; None; or a function of the batch.
      call: function (model, batch) that runs the network on a batch as the loader yields it, with its tensors moved; by
        default model(inputs), model(*inputs) for a tuple, model(**inputs) for a dict, without what it does not take.
      batch_size: into which a data set or tensor is cut.
      held: whether the caller keeps everything, so that it must fit into memory.
    """
    check_pool(pool)
    for name, number in (
        ("max_examples", max_examples),
        ("examples_per_class", examples_per_class),
        ("batch_size", batch_size),
    ):
        if number is not None and (not isinstance(number, int) or number < 1):
            raise ValueError(f"expected {name} to be a positive integer, got {number!r}")
    if dtype not in DTYPES:
        raise ValueError(f"expected dtype to be {' or '.join(DTYPES)}, got {dtype!r}")
    model = unwrapped(model)
    place, kind = input_device(model, device), input_dtype(model)
    parameters = inspect.signature(model.forward).parameters
    shared = {"label": label, "device": place, "dtype": kind, "whole": call is not None}
    read = lambda content, number: read_batch(content, number, parameters, **shared)
    random_numbers = RandomNumbers(model, getattr(loader, "generator", None))
    with random_numbers:
        batches = batches_of(loader, batch_size)
        first = next(batches, None)
        if first is None:
            raise ValueError("expected at least one batch as loader, got an empty one")
        start = read(first, 0)
        if not start.count:
            raise ValueError("batch 0 holds no examples")
        part, calls = look_ahead(model, start, call)
        reader = reader_of(model, calls, layers, pool, call=call, seed=seed, dtype=np.dtype(dtype))
        ahead = reader(part)
    expected = count_of(loader)
    expected = expected if max_examples is None or expected is None else min(expected, max_examples)
    row_bytes = {name: values[0].nbytes for name, values in ahead.items()}
    taken, seen = 0, Counter()
    rest = itertools.chain([first], batches)
    for number in itertools.count():
        with random_numbers:
            content = next(rest, None)
            if content is None:
                break
            batch = start if number == 0 else read(content, number)
            rows = _rows(batch, seen, examples_per_class, None if max_examples is None else max_examples - taken)
            if held:
                left = len(rows) if expected is None or examples_per_class else max(expected - taken, len(rows))
                _check_memory(row_bytes, left, taken + left)
            found = reader(batch) if len(rows) else {}
        if len(rows):
            _check_units(ahead, found)
            if number == 0 and part.count < batch.count:
                _check_independent(ahead, found)
            own = found if len(rows) == batch.count else {name: values[rows] for name, values in found.items()}
            yield own, None if batch.labels is None else batch.labels[rows]
            taken += len(rows)
        if taken == max_examples:
            break


def _rows(batch, seen, examples_per_class, left):
    """Which examples of a batch are taken; counts them in `seen`."""
    rows = np.arange(batch.count)
    if examples_per_class is not None:
        if batch.labels is None:
            raise ValueError("expected labels with examples_per_class, got none; label= says where in a batch they are")
        keep = []
        for row, own in enumerate(batch.labels.tolist()):
            if seen[own] < examples_per_class and (left is None or len(keep) < left):
                seen[own] += 1
                keep.append(row)
        rows = np.array(keep, int)
    return rows[:left]


def _check_memory(row_bytes, left, total):
    check_fits(
        f"the activations of {len(row_bytes)} layers for {total} examples",
        # Joining the batches of a layer holds it twice.
        sum(row_bytes.values()) * left + max(row_bytes.values()) * total,
        "take pool='mean' or 'sample:4096', fewer layers or examples, or memorize_jax.torch.accumulate",
    )


def _check_units(ahead, found):
    for name, values in found.items():
        if values.shape[1:] != ahead[name].shape[1:]:
            raise ValueError(
                f"layer {name!r} has {list(ahead[name].shape[1:])} units per example in one batch and "
                f"{list(values.shape[1:])} in another; pool='mean', 'cls' or 'last' make them alike"
            )


def _check_independent(ahead, found):
    """Warns of layers that show the same examples otherwise in a larger batch."""
    apart = []
    for name, values in ahead.items():
        difference = np.linalg.norm(found[name][: len(values)] - values)
        if difference > SAME * np.linalg.norm(values):
            apart.append(repr(name))
    if apart:
        warnings.warn(
            f"layers {', '.join(apart[:8])}: an example is not the same in a small batch and in a large one; either "
            "the first axis is not that of the examples (batch_first=True mends it), or the network draws random "
            "numbers or normalizes over the batch in evaluation mode",
            stacklevel=2,
        )
