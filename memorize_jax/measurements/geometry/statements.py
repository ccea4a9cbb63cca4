"""Figure 3: geometry by layer, at the best epoch (A) and the final one (B)."""

import functools
from collections.abc import Iterable, Sequence

import pandas as pd

from memorize_jax.claims.evidence import Evidence, by_layer, unlike
from memorize_jax.claims.geometries import JOINT, MEAN_FIELD
from memorize_jax.claims.manifolds import NEAR_BOUND, TENTH, TRUE, bound_multiples
from memorize_jax.claims.shapes import thirds
from memorize_jax.claims.statement import NOTICEABLE, Statement, above, below, stating
from memorize_jax.measurements.geometry import other_networks
from memorize_jax.measurements.geometry.shares import layer_shares
from memorize_jax.statistics import LEVEL

QUARTER = (
    "a quarter: what a hyperplane separates of random labels lies up to a tenth above the bound; mean-field capacity "
    "lies higher where features of few true classes share few directions"
)
BOTH_STAGES = ("memorized", "peak", "early and late layers")


def _unlike_test(evidence: Evidence, column: str) -> float:
    evidence.require("permuted labels", "peak", "hidden layer")
    rows = evidence.at_stage("geometry", "best")
    restored, test = (by_layer(rows, group, column, evidence.hidden) for group in ("restored", "test"))
    return float((restored / test - 1).abs().max())


def _early_unlike(evidence: Evidence, stage: str) -> float:
    evidence.require("permuted labels" if stage == "best" else "memorized", "peak", "early and late layers")
    return unlike(evidence.at_stage("geometry", stage), TRUE, "capacity", thirds(evidence.hidden)[0])


def _late_over_early(evidence: Evidence, column: str) -> float:
    evidence.require("permuted labels", "peak", "early and late layers")
    found = by_layer(evidence.at_stage("geometry", "best"), "restored", column, evidence.hidden)
    early, late = thirds(evidence.hidden)
    return float(found[list(late)].mean() / found[list(early)].mean())


def _final_over_best(evidence: Evidence, group: str, column: str, layers: Sequence[str]) -> pd.Series:
    """The measure at every layer of the final network, in units of that at the best epoch."""
    best, final = (evidence.at_stage("geometry", stage) for stage in ("best", "final"))
    return by_layer(final, group, column, layers) / by_layer(best, group, column, layers)


def _late_change(evidence: Evidence, group: str, *columns: str) -> float:
    """Mean over the last third of the layers, final over best; the largest of the columns."""
    evidence.require(*BOTH_STAGES)
    _, late = thirds(evidence.hidden)
    return max(float(_final_over_best(evidence, group, column, late).mean()) for column in columns)


def _largest_change(evidence: Evidence, groups: Iterable[str], layers: Sequence[str]) -> float:
    return float(max((_final_over_best(evidence, group, "capacity", layers) - 1).abs().max() for group in groups))


STATEMENTS: list[Statement] = []
# The level is that of the paper's figure 3.
OPTIONS = {"needs": ("metrics", "geometry"), "level": LEVEL}
by_joint, by_mean_field = (stating(STATEMENTS, by=kind, **OPTIONS) for kind in (JOINT, MEAN_FIELD))
joint_of_every_seed = stating(STATEMENTS, by=JOINT, every_seed=True, **OPTIONS)

for _column, _stated in (("capacity", by_joint), ("radius", by_mean_field), ("dimension", by_mean_field)):
    _stated(
        "3A",
        f"At the best epoch restored manifolds have the {_column} of test manifolds.",
        f"relative difference in {_column}, the largest of any hidden layer",
        below(NOTICEABLE, TENTH),
        name=f"restored_{_column}_like_test",
        every_seed=True,
    )(functools.partial(_unlike_test, column=_column))

for _stage, _when, _figure in (("best", "at_best", "3A"), ("final", "at_the_end", "3B")):
    joint_of_every_seed(
        _figure,
        f"At the {_stage} epoch unpermuted, restored and test manifolds are alike in early layers.",
        "capacity, largest over smallest of the groups, less one, the largest of any layer in the first third",
        below(NOTICEABLE, TENTH),
        name=f"early_layers_alike_{_when}",
    )(functools.partial(_early_unlike, stage=_stage))


@by_joint(
    "3A",
    "At the best epoch restored manifolds become more separable with depth, though trained on other labels.",
    "restored capacity in the last third of the hidden layers over that in the first",
    above(1 + NOTICEABLE, TENTH),
)
def _restored_untangle_with_depth(evidence):
    return _late_over_early(evidence, "capacity")


for _column in ("radius", "dimension"):
    by_mean_field(
        "3A",
        f"At the best epoch the {_column} of restored manifolds falls with depth.",
        f"restored {_column} in the last third of the hidden layers over that in the first",
        below(1 - NOTICEABLE, TENTH),
        name=f"restored_{_column}_falls_with_depth",
    )(functools.partial(_late_over_early, column=_column))


@joint_of_every_seed(
    "3A",
    "At the best epoch the capacity of permuted manifolds is near the lower bound 2/M in every layer.",
    "permuted capacity in units of 2/M, the highest of any hidden layer",
    below(NEAR_BOUND, QUARTER),
)
def _permuted_at_lower_bound(evidence):
    evidence.require("permuted labels", "peak", "hidden layer")
    return float(bound_multiples(evidence.at_stage("geometry", "best"), evidence.hidden).max())


@joint_of_every_seed(
    "3B",
    "At the final epoch unpermuted manifolds are much as at the best epoch.",
    "relative change of unpermuted capacity from best to final epoch, the largest of any hidden layer",
    below(NOTICEABLE, TENTH),
)
def _unpermuted_as_at_best_epoch(evidence):
    evidence.require(*BOTH_STAGES)
    return _largest_change(evidence, ("unpermuted",), evidence.hidden)


@by_joint(
    "3B",
    "At the final epoch permuted manifolds have become separable in late layers.",
    "permuted capacity, final over best epoch, mean over the last third of the hidden layers",
    above(NEAR_BOUND, "a quarter: further than what still counts as near the lower bound"),
)
def _permuted_rise_in_late_layers(evidence):
    return _late_change(evidence, "permuted", "capacity")


@joint_of_every_seed(
    "3B",
    "Memorization takes place predominantly in late layers.",
    "share of the last third of the hidden layers in the rise of permuted capacity from best to final epoch",
    above(0.5, "half: predominantly; spread evenly it would be a third at most"),
)
def _memorized_mostly_in_late_layers(evidence):
    evidence.require(*BOTH_STAGES)
    return float(layer_shares(evidence)[list(thirds(evidence.hidden)[1])].sum())


@by_mean_field(
    "3B",
    "There radius and dimension of permuted manifolds fall.",
    "final over best epoch, mean over the last third of the hidden layers; of radius or dimension the larger",
    below(1 - NOTICEABLE, TENTH),
)
def _permuted_shrink_in_late_layers(evidence):
    return _late_change(evidence, "permuted", "radius", "dimension")


@by_joint(
    "3B",
    "There restored manifolds lose capacity as permuted ones are memorized.",
    "restored capacity, final over best epoch, mean over the last third of the hidden layers",
    below(1 - NOTICEABLE, TENTH),
)
def _restored_fall_in_late_layers(evidence):
    return _late_change(evidence, "restored", "capacity")


@joint_of_every_seed(
    "3B",
    "Memorizing leaves the geometry of early layers as it was at the best epoch.",
    "relative change of capacity from best to final epoch, the largest of any group in the first third",
    below(NOTICEABLE, TENTH),
)
def _early_layers_unchanged(evidence):
    evidence.require(*BOTH_STAGES)
    groups = evidence.at_stage("geometry", "final")["group"].unique()
    return _largest_change(evidence, groups, thirds(evidence.hidden)[0])


STATEMENTS += other_networks.STATEMENTS
