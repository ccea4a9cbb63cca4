"""Which layers are shown: by name or pattern, or those that suggest themselves."""

import difflib
import fnmatch
import warnings
from collections.abc import Sequence
from typing import Any

from memorize_jax.taps.blocks import representations
from memorize_jax.taps.recording import READ, Entry, Recorder

AUTO = "auto"
# Names that an error lists.
MOST_NAMES = 8


def check_patterns(layers: str | Sequence[str]) -> tuple[str, ...]:
    """Names and patterns as a tuple; ValueError for anything else."""
    patterns = (layers,) if isinstance(layers, str) else tuple(layers)
    if not patterns or not all(isinstance(pattern, str) for pattern in patterns):
        raise ValueError(f"expected layers to be {AUTO!r} or a list of names or patterns, got {layers!r}")
    return patterns


def choose(
    recorder: Recorder, patterns: tuple[str, ...], inputs: Sequence[Any], num_examples: int | None
) -> list[Entry]:
    """The entries that are shown, in the order of the forward pass.

    Args:
      recorder: of a finished pass.
      patterns: of `check_patterns`; none for what the network returns alone.
      inputs: arrays that the network was given.
      num_examples: n, the first axis of everything that can be shown; None where examples come one by one.

    Raises:
      ValueError: a name or pattern that fits nothing that can be shown.
    """
    if not patterns:
        return recorder.ends
    for entry in recorder.entries.values():
        if num_examples is not None and entry.value.shape[:1] != (num_examples,):
            shape = list(entry.value.shape)
            entry.obstacle = entry.obstacle or f"its shape is {shape}, without a first axis of {num_examples} examples"
    available = [entry for entry in recorder.entries.values() if entry.obstacle is None]
    if patterns == (AUTO,):
        found = representations(recorder, inputs)
        if hidden := [entry.name for entry in found if entry.obstacle is not None and entry.is_inside]:
            reason = recorder.entries[hidden[0]].obstacle
            warnings.warn(f"layers {_some(hidden)} cannot be shown: {reason}; layers=[...] names others", stacklevel=5)
        return [entry for entry in found if entry.obstacle is None]
    wanted = set()
    for pattern in patterns:
        fits = fitting(pattern, [entry.name for entry in available])
        if not fits:
            raise ValueError(_nothing(pattern, recorder.entries.values(), available))
        wanted |= fits
    return [entry for entry in available if entry.name in wanted]


def fitting(pattern, names):
    """A name itself, or what a pattern fits; of inputs, only if the pattern asks for inputs."""
    if pattern in names:
        return {pattern}
    if not pattern.endswith(READ):
        names = [name for name in names if not name.endswith(READ)]
    return set(fnmatch.filter(names, pattern))


def _nothing(pattern, entries, available):
    hidden = {entry.name: entry.obstacle for entry in entries if entry.obstacle is not None}
    if fits := sorted(fitting(pattern, hidden)):
        return f"layer {fits[0]!r} cannot be shown: {hidden[fits[0]]}"
    names = [entry.name for entry in available if entry.name.endswith(READ) == pattern.endswith(READ)]
    near = difflib.get_close_matches(pattern, names, n=MOST_NAMES, cutoff=0.6)
    listed = _some([*near, *(name for name in names if name not in near)])
    return f"expected layers that the network has, got {pattern!r}; it has {listed}"


def _some(names):
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
