"""Figure A.8: capacity against the permuted fraction."""

import functools

import pandas as pd

from memorize_jax.analysis.claims.evidence import Evidence, NotTestable, by_layer
from memorize_jax.analysis.claims.statement import NOTICEABLE, Statement, Threshold
from memorize_jax.study import three_layers

FEWEST_FRACTIONS = 3


def _capacities(evidence: Evidence, position: str) -> pd.Series:
    """Test capacity of the final network at one of the layers of figure A.8, by permuted fraction, in order."""
    evidence.require_hidden_layers()
    layer = three_layers(evidence.layers)[position]
    fractions = sorted(evidence.tables["metrics"]["permuted_fraction"].unique())
    if len(fractions) < FEWEST_FRACTIONS:
        raise NotTestable(f"{len(fractions)} permuted fractions are too few; train at least {FEWEST_FRACTIONS}")
    found = {}
    for fraction in fractions:
        tables = {name: table[table["permuted_fraction"] == fraction] for name, table in evidence.tables.items()}
        own = evidence._replace(tables=tables)
        try:
            (own.require_memorized if fraction > 0 else own.require_learned)()
            found[fraction] = by_layer(own.at_stage("geometry", "final"), "test", "capacity", [layer]).iloc[0]
        except NotTestable as error:
            raise NotTestable(f"permuted fraction {fraction:g}: {error}") from None
    return pd.Series(found)


def _most_over_least_permuted(evidence: Evidence) -> float:
    capacities = _capacities(evidence, "last")
    return float(capacities.iloc[-1] / capacities.iloc[0])


def _spread(evidence: Evidence, position: str) -> float:
    capacities = _capacities(evidence, position)
    return float((capacities / capacities.mean() - 1).abs().max())


NEEDS = ("metrics", "geometry")
STATEMENTS = (
    *(
        Statement(
            f"{position}_layer_indifferent_to_fraction",
            "A.8",
            f"In the {position} layer test capacity hardly depends on the permuted fraction.",
            f"test capacity of the final network at the {layer}: largest relative deviation from its mean over "
            "fractions",
            Threshold("<", NOTICEABLE),
            "a tenth: several times what the sampling of the draws moves it",
            functools.partial(_spread, position=position),
            needs=NEEDS,
            many_fractions=True,
        )
        for position, layer in (
            ("first", "first hidden layer"),
            ("middle", "middle convolution (without convolutions: the middle hidden layer)"),
        )
    ),
    Statement(
        "last_layer_loses_with_fraction",
        "A.8",
        "In the last layer test capacity falls with the permuted fraction.",
        "test capacity of the final network at the last hidden layer, at the largest fraction over the smallest",
        Threshold("<", 1 - NOTICEABLE),
        "a tenth: several times what the sampling of the draws moves it",
        _most_over_least_permuted,
        needs=NEEDS,
        many_fractions=True,
    ),
)
