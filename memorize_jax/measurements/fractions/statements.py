"""Figures 2A and A.8: accuracy and capacity against the permuted fraction."""

import functools
from collections.abc import Callable

import pandas as pd

from memorize_jax.claims.evidence import Evidence, NotTestable, by_layer, fall_of_test, require_named, unlike
from memorize_jax.claims.geometries import JOINT
from memorize_jax.claims.manifolds import NEAR_BOUND, TENTH, TRUE, bound_multiples
from memorize_jax.claims.statement import NOTICEABLE, Statement, above, below, stating
from memorize_jax.studies.study import three_layers

FEWEST_FRACTIONS = 3
HALF = 0.5


def _of_fraction(evidence: Evidence, fraction: float, measure: Callable[[Evidence], float | None]) -> float | None:
    """A number of the run of one fraction; NotTestable unless it memorized, or with all labels true, learned."""
    tables = {name: table[table["permuted_fraction"] == fraction] for name, table in evidence.tables.items()}
    own = evidence._replace(tables=tables)
    try:
        own.require("memorized" if fraction > 0 else "learned")
        return measure(own)
    except NotTestable as error:
        raise NotTestable(f"permuted fraction {fraction:g}: {error}") from None


def _by_fraction(
    evidence: Evidence, position: str, measure: Callable[[pd.DataFrame, str], float | None]
) -> list[float]:
    """A number of the final geometry at one of the layers of figure A.8, of every fraction that has one, in order."""
    evidence.require("early and late layers")
    fractions = sorted(evidence.tables["metrics"]["permuted_fraction"].unique())
    if len(fractions) < FEWEST_FRACTIONS:
        raise NotTestable(f"{len(fractions)} permuted fractions are too few; train at least {FEWEST_FRACTIONS}")
    layer = three_layers(evidence.layers)[position]
    of_final = lambda own: measure(own.at_stage("geometry", "final"), layer)
    found = [_of_fraction(evidence, fraction, of_final) for fraction in fractions]
    return [float(value) for value in found if value is not None]


def _has(rows, group):
    return (rows["group"] == group).any()


def _unlike(rows, layer):
    return unlike(rows, [group for group in TRUE if _has(rows, group)], "capacity", [layer])


def _multiple(rows, layer):
    return bound_multiples(rows, [layer]).iloc[0] if _has(rows, "permuted") else None


def _lead(rows, layer):
    if not all(_has(rows, group) for group in TRUE):
        return None
    unpermuted, *others = (by_layer(rows, group, "capacity", [layer]).iloc[0] for group in TRUE)
    return unpermuted / max(others)


def _test_capacity(rows, layer):
    return by_layer(rows, "test", "capacity", [layer]).iloc[0]


def _largest(evidence: Evidence, position: str, measure: Callable) -> float:
    return max(_by_fraction(evidence, position, measure))


LAYERS = {
    "first": "first hidden layer",
    "middle": "middle convolution (without convolutions: the middle hidden layer)",
}
STATEMENTS: list[Statement] = []
of_accuracy = stating(STATEMENTS, axes=("permuted_fraction",))
stated = stating(STATEMENTS, needs=("metrics", "geometry"), axes=("permuted_fraction",), by=JOINT)
of_every_seed = stating(
    STATEMENTS, needs=("metrics", "geometry"), axes=("permuted_fraction",), by=JOINT, every_seed=True
)


@of_accuracy(
    "2A",
    "Without permuted labels test accuracy falls less after its peak than with half of them permuted.",
    "fall of test accuracy from its peak to the end, relative to the peak, with fraction 0 over with fraction 0.5",
    below(1, "the statement itself, which names no size"),
)
def _original_labels_fall_less(evidence):
    falls = []
    for fraction in (0, HALF):
        if fraction not in set(evidence.tables["metrics"]["permuted_fraction"]):
            raise NotTestable(f"no run has the permuted fraction {fraction:g}; train one")
        falls.append(_of_fraction(evidence, fraction, fall_of_test))
    original, half = falls
    if half < NOTICEABLE:
        raise NotTestable("with half of the labels permuted test accuracy fell by less than a tenth of its peak")
    return original / half


for _position, _layer in LAYERS.items():
    of_every_seed(
        "A.8",
        f"In the {_position} layer unpermuted, restored and test manifolds are alike at every permuted fraction.",
        f"capacity of the final network at the {_layer}, largest over smallest of the groups, less one, the largest of "
        "any fraction",
        below(NOTICEABLE, TENTH),
        name=f"{_position}_layer_alike_at_every_fraction",
    )(functools.partial(_largest, position=_position, measure=_unlike))

for _position, _layer in LAYERS.items():
    of_every_seed(
        "A.8",
        f"In the {_position} layer permuted manifolds stay near the lower bound at every permuted fraction.",
        f"permuted capacity of the final network at the {_layer}, in units of 2/M, the highest of any fraction",
        below(NEAR_BOUND, "a quarter, as at the best epoch"),
        name=f"{_position}_layer_permuted_at_bound",
    )(functools.partial(_largest, position=_position, measure=_multiple))


@of_every_seed(
    "A.8",
    "In the last layer unpermuted manifolds are more separable than restored or test ones.",
    "unpermuted capacity of the final network at the last hidden layer over that of restored or test manifolds, "
    "whichever is higher, the least of any fraction that has all of them",
    above(1 + NOTICEABLE, TENTH),
)
def _last_layer_unpermuted_above_restored(evidence):
    leads = _by_fraction(evidence, "last", _lead)
    if not leads:
        raise NotTestable("no run has both permuted and unpermuted labels")
    return min(leads)


@of_every_seed(
    "A.8",
    "In the last layer of VGG16 and ResNet18 permuted manifolds have become separable.",
    "permuted capacity of the final network at the last hidden layer, in units of 2/M, the least of any fraction",
    above(NEAR_BOUND, "a quarter: further than what still counts as near the lower bound"),
)
def _last_layer_permuted_above_bound(evidence):
    require_named(evidence.model, "network", "vgg16", "resnet18")
    return min(_by_fraction(evidence, "last", _multiple))


@stated(
    "A.8",
    "In the last layer test capacity falls with the permuted fraction.",
    "test capacity of the final network at the last hidden layer, at the largest fraction over the smallest",
    below(1 - NOTICEABLE, TENTH),
)
def _last_layer_loses_with_fraction(evidence):
    capacities = _by_fraction(evidence, "last", _test_capacity)
    return capacities[-1] / capacities[0]
