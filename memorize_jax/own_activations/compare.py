"""Two networks, or two epochs of one, on the same examples and draws: paired differences with intervals."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from memorize_jax.own_activations.analysis import Analysis
from memorize_jax.own_activations.analyze import analyze
from memorize_jax.own_activations.arrays import name_layers
from memorize_jax.own_activations.comparison import Comparison
from memorize_jax.own_activations.measure import Measured
from memorize_jax.own_activations.repeats import Numbers, Repeats, numbers_of

NAMES = "give both the same names, in the same order"
CALLS = "give both calls of analyze the same"
ROWS = "give both the same labels and mask"
# What layers of both are called while they are measured together.
FIRST, SECOND = "a: ", "b: "
REPEATS = 20
# Options of `analyze` that may differ by layer.
BY_LAYER = ("pool", "mask")


def compare(a: Any, b: Any, labels: Any = None, **options: Any) -> Comparison:
    """Measures by how much every measure of every layer differs, a - b, with a 95 % interval.

    Both are measured on the same choices of examples by the same draws, so that what these do to both alike drops out:
    the interval is that of the differences (`intervals.interval_of`), and narrower than that of two separate results.

    Args:
      a: activations of one network, as `analyze` takes them, with the same names of layers as b; or its Analysis.
      b: those of the other, on the same inputs; or its Analysis.
      labels: of the examples; with activations only.
      **options: of `analyze`, with activations only; `repeats` is 20 unless given.

    Raises:
      ValueError: not the same layers; two results of other examples, seed, options or repeats; what `analyze` refuses.
    """
    if isinstance(a, Analysis) != isinstance(b, Analysis):
        raise ValueError("expected two results of analyze or two sets of activations, got one of each")
    if not isinstance(a, Analysis):
        return _measured_together(a, b, labels, {"repeats": REPEATS, **options})
    if labels is not None or options:
        given = ", ".join([*(["labels"] if labels is not None else []), *options])
        raise ValueError(f"expected two results of analyze alone, got {given} too; give them to both calls of analyze")
    _check_same(a, b)
    return Comparison(a.layers, _repeats_of(a), _repeats_of(b))


def _measured_together(a, b, labels, options):
    first, second = name_layers(a), name_layers(b)
    if list(first) != list(second):
        raise ValueError(_unlike("layers", list(first), list(second), NAMES))
    both = {FIRST + name: values for name, values in first.items()}
    both |= {SECOND + name: values for name, values in second.items()}
    for option in BY_LAYER:
        if isinstance(given := options.get(option), Mapping):
            if unknown := [name for name in given if name not in first]:
                raise ValueError(f"expected {option} for layers out of {', '.join(first)}, got {unknown[0]!r}")
            options |= {option: {start + name: own for name, own in given.items() for start in (FIRST, SECOND)}}
    found = _repeats_of(analyze(both, labels, **options))
    halves = [repeats_of_layers(found, part) for part in (slice(None, len(first)), slice(len(first), None))]
    return Comparison(tuple(first), *halves)


def repeats_of_layers(repeats: Repeats, part: Any) -> Repeats:
    """The repeats of some layers, by an index; their axis is the last by layer, the one before it by class."""
    of = lambda numbers: (
        numbers
        and Numbers(
            {name: values[..., part] for name, values in numbers.by_layer.items()},
            {name: values[..., part, :] for name, values in numbers.by_class.items()},
        )
    )
    return repeats._replace(repeated=of(repeats.repeated), parts=of(repeats.parts))


def _repeats_of(result: Analysis) -> Repeats:
    """The repeats of a result; of one without, the result itself as the only one."""
    if result.repeats is not None:
        return result.repeats
    measured = Measured(result.geometry, result.joint, result.participation)
    numbers = numbers_of(measured)
    sizes = np.array([len(rows) for rows in result.indices.values()])
    return Repeats(jax.tree.map(lambda leaf: leaf[None], numbers), None, (dict(result.indices),), sizes)


def _check_same(a, b):
    """ValueError, which says how to mend it, where differences would not be paired."""
    if a.layers != b.layers:
        raise ValueError(_unlike("layers", list(a.layers), list(b.layers), NAMES))
    if a.seed != b.seed:
        raise ValueError(_unlike("seed", a.seed, b.seed, CALLS))
    for name in a.options.keys() | b.options.keys():
        if (first := a.options.get(name)) is not (second := b.options.get(name)) and str(first) != str(second):
            raise ValueError(_unlike(name, first, second, CALLS))
    if list(a.indices) != list(b.indices):
        raise ValueError(_unlike("classes", list(a.indices), list(b.indices), ROWS))
    for number, choices in enumerate(zip(_repeats_of(a).choices, _repeats_of(b).choices, strict=True)):
        for label, own in choices[0].items():
            if not np.array_equal(own, other := choices[1][label]):
                where = f"rows of class {label} in repeat {number}"
                raise ValueError(_unlike(where, own.tolist()[:4], other.tolist()[:4], ROWS))


def _unlike(what, first, second, remedy):
    return f"expected the same {what} in both, got {first} and {second}; {remedy}"
