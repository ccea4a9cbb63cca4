"""Which arrays of a file are labels and layers, and which of their axes is that of the examples."""

import fnmatch
from collections.abc import Sequence

from memorize_jax.own_activations.files.entry import Entries, Entry, each_once


class Refused(ValueError):
    """The file can be read, but it does not hold what was asked of it."""


def what_of(entry: Entry) -> str:
    """The shape of numbers, or what else an array is, for behind its name."""
    return f"{list(entry.shape)}" if entry.kind == "numbers" else f"({entry.kind})"


def find_entry(name: str, entries: Entries) -> str:
    """The full name of an array, of which the path to it may be left out if there is only one."""
    ending = [own for own in entries if own.rpartition("/")[2] == name]
    found = [name] if name in entries else each_once(ending, entries)
    if len(found) != 1:
        more = f"several: {', '.join(found)}" if found else f"{sorted(entries)}"
        raise Refused(
            f"expected arrays {name} and activations (or one per layer), got {more}; labels= names the labels in it"
        )
    return found[0]


def find_layers(layers: Sequence[str] | str, entries: Entries) -> list[str]:
    """The arrays of these names or patterns, in this order; Refused for one that nothing has."""
    found = []
    for pattern in [layers] if isinstance(layers, str) else layers:
        matching = [name for name in entries if fnmatch.fnmatchcase(name, pattern)]
        own = [pattern] if pattern in entries else each_once(matching, entries)
        if not own:
            raise Refused(f"expected layers out of {', '.join(entries)}, got {pattern!r}")
        found += [name for name in own if name not in found]
    return found


def example_axis(
    name: str, entry: Entry, count: int | None, trial_axis: int | None, *, is_first: bool, is_asked: bool
) -> int | None:
    """The axis of the examples; None for what is no layer.

    Args:
      count: of the examples; None where it is not known.
      trial_axis: what the caller says.
      is_first: whether the first axis is that of the examples where several have this length.
      is_asked: whether the layer was asked for by name; it is then an error if it is none.
    """
    if entry.kind != "numbers":
        if is_asked:
            raise Refused(f"expected numbers as layer {name!r}, got {entry.kind}")
        return None
    shape = entry.shape
    if count is None:
        return trial_axis or 0
    # A vector of one number for each example is about the trials, not a layer, unless it is asked for.
    is_vector = sum(size > 1 for size in shape) < 2
    axes = [axis for axis, size in enumerate(shape) if size == count]
    if not axes or (is_vector and not is_asked):
        if is_asked:
            raise Refused(
                f"expected layer {name!r} with {count} examples, as many as there are labels, got {list(shape)}"
            )
        return None
    if trial_axis is not None:
        if not -len(shape) <= trial_axis < len(shape) or shape[trial_axis] != count:
            raise Refused(f"expected layer {name!r} with {count} examples on axis {trial_axis}, got {list(shape)}")
        return trial_axis
    if len(axes) > 1 and not (is_first and axes[0] == 0):
        raise Refused(
            f"expected one axis of {count} trials in layer {name!r}, got {list(shape)}; trial_axis={axes[0]} or "
            f"trial_axis={axes[1]} in read_activations says which"
        )
    return axes[0]
