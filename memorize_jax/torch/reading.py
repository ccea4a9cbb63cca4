"""The activations of one batch: which layers there are, seen from a few examples, and how each is read."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from memorize_jax.channels import ChannelsFirst
from memorize_jax.torch.batches import Batch, cut
from memorize_jax.torch.choice import Call, choose, matches
from memorize_jax.torch.hooks import call_name, names_of, run_with_hooks
from memorize_jax.torch.library import torch
from memorize_jax.torch.outputs import remedy, tensor_in
from memorize_jax.torch.pooling import check_pool, has_sequence_convolutions, may_have_channels_first, pooled

# Examples of the first batch that go ahead.
AHEAD = 2

Reader = Callable[[Batch], dict[str, np.ndarray]]


def look_ahead(model: Any, batch: Batch, call: Callable | None) -> tuple[Batch, list[Call]]:
    """Runs a few examples through the network and notes every call of every module.

    Fewer than the batch has, where that has several: what has an axis of another meaning first shows it by its length.
    A network that takes no part of the batch, for it has inputs of other forms, gets all of it.

    Returns:
      The part of the batch, and the calls in the order in which they returned.
    """
    few = min(AHEAD, max(1, batch.count - 1))
    args, kwargs, labels, mask = (cut(each, 0, few, batch.count) for each in batch[:4])
    part = Batch(args, kwargs, labels, mask, few, batch.place)
    modules = names_of(model)[0]
    calls = []

    def note(name, number, module, output):
        # What blocks return is compared; the rest is let go.
        calls.append(Call(name, number, tensor_in(output) if list(module.children()) else None))

    try:
        run_with_hooks(model, modules, part, note, call)
    except ValueError:
        calls.clear()
        part = batch
        run_with_hooks(model, modules, batch, note, call)
    return part, calls


def reader_of(
    model: Any,
    calls: Sequence[Call],
    layers: str | Sequence[str],
    pool: Any,
    *,
    call: Callable | None,
    seed: int,
    dtype: np.dtype,
) -> Reader:
    """Makes the function that reads the chosen layers of a batch, {name: [b, ...]}.

    Raises:
      ValueError: as `choose` and `check_pool` do; when it reads, an output that is not [b, ...] or cannot be pooled.
    """
    check_pool(pool)
    chosen = choose(model, calls, layers)
    ways = _ways(pool, chosen)
    modules = {name: module for name, module in names_of(model)[0].items() if name in {own for own, _ in chosen}}
    times = Counter(each.name for each in calls)
    one_dimensional = has_sequence_convolutions(model)

    def read(batch):
        found = {}

        def take(name, number, module, output):
            found[name, number] = None
            if (name, number) not in ways:
                return
            key = call_name(name, number)
            shared = {"module": module, "mask": batch.mask, "seed": seed, "one_dimensional": one_dimensional}
            values = pooled(output, key, ways[name, number], **shared)
            if (values.ndim < 2 and values.shape != (batch.count,)) or len(values) != batch.count:
                raise ValueError(_not_per_example(key, values, batch.count))
            # A copy at once, before an operation in place.
            array = values.to("cpu").to(getattr(torch, dtype.name), copy=True).contiguous().numpy()
            is_marked = may_have_channels_first(values.ndim, module, one_dimensional)
            found[name, number] = array.view(ChannelsFirst) if is_marked else array

        run_with_hooks(model, modules, batch, take, call)
        now = Counter(name for name, _ in found)
        for name in modules:
            if now[name] != times[name]:
                raise ValueError(
                    f"layer {name!r} is called {times[name]} times in one batch and {now[name]} times in another; "
                    "choose layers that every example passes through as often"
                )
        return {call_name(name, number): found[name, number] for name, number in chosen}

    return read


def _ways(pool: Any, chosen: Sequence[tuple[str, int]]) -> dict[tuple[str, int], Any]:
    """How each chosen call is pooled."""
    if not isinstance(pool, Mapping):
        return dict.fromkeys(chosen, pool)
    goes_by = lambda each, pattern: matches(call_name(*each), each[0], each[1], pattern)
    meant = {pattern: [each for each in chosen if goes_by(each, pattern)] for pattern in pool}
    for pattern, found in meant.items():
        if not found:
            names = ", ".join(call_name(*each) for each in chosen)
            raise ValueError(f"expected pool for layers out of {names}, got {pattern!r}")
    # A name goes before patterns, and these in their order.
    first = lambda each: next((pool[pattern] for pattern, found in meant.items() if each in found), "flatten")
    return {each: pool.get(call_name(*each)) or first(each) for each in chosen}


def _not_per_example(name, values, count):
    return (
        f"layer {name!r} gives {list(values.shape)} for {count} examples, so its first axis is not that of the "
        f"examples; build its modules with batch_first=True where that is it, or else {remedy(name, '[b, ...]')}"
    )
