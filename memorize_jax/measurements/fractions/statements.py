"""Figures 2A and A.8: accuracy and capacity against the permuted fraction."""

import functools
from collections.abc import Callable

import pandas as pd

from memorize_jax.claims.evidence import Evidence, NotTestable, by_layer, fall_of_test, require_named, unlike
from memorize_jax.claims.geometries import JOINT
from memorize_jax.claims.manifolds import NEAR_BOUND, TENTH, TRUE, bound_multiples
from memorize_jax.claims.statement import NOTICEABLE, Statement, Threshold
from memorize_jax.studies.study import three_layers

FEWEST_FRACTIONS = 3
HALF = 0.5


def _by_fraction(evidence: Evidence, measure: Callable[[Evidence], float | None]) -> pd.Series:
    """A number of the final network of every permuted fraction, in order; without those for which it is None."""
    evidence.require_hidden_layers()
    fractions = sorted(evidence.tables["metrics"]["permuted_fraction"].unique())
    if len(fractions) < FEWEST_FRACTIONS:
        raise NotTestable(f"{len(fractions)} permuted fractions are too few; train at least {FEWEST_FRACTIONS}")
    found = {}
    for fraction in fractions:
        try:
            own = _with_fraction(evidence, fraction)
            found[fraction] = measure(own)
        except NotTestable as error:
            raise NotTestable(f"permuted fraction {fraction:g}: {error}") from None
    return pd.Series({fraction: value for fraction, value in found.items() if value is not None})


def _with_fraction(evidence: Evidence, fraction: float) -> Evidence:
    """The run of one fraction; raises NotTestable unless it memorized, or with all labels true, learned."""
    tables = {name: table[table["permuted_fraction"] == fraction] for name, table in evidence.tables.items()}
    own = evidence._replace(tables=tables)
    (own.require_memorized if fraction > 0 else own.require_learned)()
    return own


def _at(position: str, measure: Callable[[pd.DataFrame, str], float | None]) -> Callable[[Evidence], pd.Series]:
    """By fraction, a number of the geometry of the final network and one of the layers of figure A.8."""

    def measured(evidence: Evidence) -> pd.Series:
        return _by_fraction(
            evidence, lambda own: measure(own.at_stage("geometry", "final"), three_layers(own.layers)[position])
        )

    return measured


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


def _largest(evidence: Evidence, position: str, measure) -> float:
    return float(_at(position, measure)(evidence).max())


def _least_lead(evidence: Evidence) -> float:
    leads = _at("last", _lead)(evidence)
    if leads.empty:
        raise NotTestable("no run has both permuted and unpermuted labels")
    return float(leads.min())


def _least_multiple(evidence: Evidence) -> float:
    require_named(evidence.model, "network", "vgg16", "resnet18")
    return float(_at("last", _multiple)(evidence).min())


def _most_over_least_permuted(evidence: Evidence) -> float:
    capacities = _at("last", _test_capacity)(evidence)
    return float(capacities.iloc[-1] / capacities.iloc[0])


def _original_over_half(evidence: Evidence) -> float:
    falls = []
    for fraction in (0, HALF):
        if fraction not in set(evidence.tables["metrics"]["permuted_fraction"]):
            raise NotTestable(f"no run has the permuted fraction {fraction:g}; train one")
        try:
            falls.append(fall_of_test(_with_fraction(evidence, fraction)))
        except NotTestable as error:
            raise NotTestable(f"permuted fraction {fraction:g}: {error}") from None
    original, half = falls
    if half < NOTICEABLE:
        raise NotTestable("with half of the labels permuted test accuracy fell by less than a tenth of its peak")
    return original / half


def _statement(name, statement, quantity, threshold, why, measure, **options) -> Statement:
    common = {"needs": ("metrics", "geometry"), "axes": ("permuted_fraction",), "by": JOINT}
    return Statement(name, "A.8", statement, quantity, threshold, why, measure, **common, **options)


LAYERS = {
    "first": "first hidden layer",
    "middle": "middle convolution (without convolutions: the middle hidden layer)",
}
STATEMENTS = (
    Statement(
        "original_labels_fall_less",
        "2A",
        "Without permuted labels test accuracy falls less after its peak than with half of them permuted.",
        "fall of test accuracy from its peak to the end, relative to the peak, with fraction 0 over with fraction 0.5",
        Threshold("<", 1),
        "the statement itself, which names no size",
        _original_over_half,
        axes=("permuted_fraction",),
    ),
    *(
        _statement(
            f"{position}_layer_alike_at_every_fraction",
            f"In the {position} layer unpermuted, restored and test manifolds are alike at every permuted fraction.",
            f"capacity of the final network at the {layer}, largest over smallest of the groups, less one, the largest "
            "of any fraction",
            Threshold("<", NOTICEABLE),
            TENTH,
            functools.partial(_largest, position=position, measure=_unlike),
            every_seed=True,
        )
        for position, layer in LAYERS.items()
    ),
    *(
        _statement(
            f"{position}_layer_permuted_at_bound",
            f"In the {position} layer permuted manifolds stay near the lower bound at every permuted fraction.",
            f"permuted capacity of the final network at the {layer}, in units of 2/M, the highest of any fraction",
            Threshold("<", NEAR_BOUND),
            "a quarter, as at the best epoch",
            functools.partial(_largest, position=position, measure=_multiple),
            every_seed=True,
        )
        for position, layer in LAYERS.items()
    ),
    _statement(
        "last_layer_unpermuted_above_restored",
        "In the last layer unpermuted manifolds are more separable than restored or test ones.",
        "unpermuted capacity of the final network at the last hidden layer over that of restored or test manifolds, "
        "whichever is higher, the least of any fraction that has all of them",
        Threshold(">", 1 + NOTICEABLE),
        TENTH,
        _least_lead,
        every_seed=True,
    ),
    _statement(
        "last_layer_permuted_above_bound",
        "In the last layer of VGG16 and ResNet18 permuted manifolds have become separable.",
        "permuted capacity of the final network at the last hidden layer, in units of 2/M, the least of any fraction",
        Threshold(">", NEAR_BOUND),
        "a quarter: further than what still counts as near the lower bound",
        _least_multiple,
        every_seed=True,
    ),
    _statement(
        "last_layer_loses_with_fraction",
        "In the last layer test capacity falls with the permuted fraction.",
        "test capacity of the final network at the last hidden layer, at the largest fraction over the smallest",
        Threshold("<", 1 - NOTICEABLE),
        TENTH,
        _most_over_least_permuted,
    ),
)
