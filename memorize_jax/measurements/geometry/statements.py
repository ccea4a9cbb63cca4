"""Figure 3: geometry by layer, at the best epoch (A) and the final one (B)."""

import functools

import pandas as pd

from memorize_jax.claims.evidence import Evidence, NotTestable, by_layer, unlike
from memorize_jax.claims.geometries import JOINT, MEAN_FIELD
from memorize_jax.claims.manifolds import NEAR_BOUND, TENTH, TRUE, bound_multiples
from memorize_jax.claims.shapes import thirds
from memorize_jax.claims.statement import NOTICEABLE, Statement, Threshold
from memorize_jax.measurements.geometry import other_networks

# Of the paper's figure 3.
LEVEL = 0.99


def _restored_against_test(evidence: Evidence, column: str) -> float:
    evidence.require_permuted()
    evidence.require_peak()
    evidence.require_hidden_layer()
    rows = evidence.at_stage("geometry", "best")
    restored, test = (by_layer(rows, group, column, evidence.hidden) for group in ("restored", "test"))
    return float((restored / test - 1).abs().max())


def _bound_at_best(evidence: Evidence) -> float:
    evidence.require_permuted()
    evidence.require_peak()
    evidence.require_hidden_layer()
    return float(bound_multiples(evidence.at_stage("geometry", "best"), evidence.hidden).max())


def _early_unlike(evidence: Evidence, stage: str) -> float:
    (evidence.require_permuted if stage == "best" else evidence.require_memorized)()
    evidence.require_peak()
    evidence.require_hidden_layers()
    early, _ = thirds(evidence.hidden)
    return unlike(evidence.at_stage("geometry", stage), TRUE, "capacity", early)


def _late_over_early(evidence: Evidence, column: str) -> float:
    evidence.require_permuted()
    evidence.require_peak()
    evidence.require_hidden_layers()
    found = by_layer(evidence.at_stage("geometry", "best"), "restored", column, evidence.hidden)
    early, late = thirds(evidence.hidden)
    return float(found[list(late)].mean() / found[list(early)].mean())


def _final_over_best(evidence: Evidence, group: str, column: str, layers: tuple[str, ...]) -> pd.Series:
    """The measure at every layer of the final network, in units of that at the best epoch."""
    best, final = (evidence.at_stage("geometry", stage) for stage in ("best", "final"))
    return by_layer(final, group, column, layers) / by_layer(best, group, column, layers)


def _late_change(evidence: Evidence, group: str, columns: tuple[str, ...]) -> float:
    """Mean over the last third of the layers, final over best; the largest of the columns."""
    _require_both_stages(evidence)
    _, late = thirds(evidence.hidden)
    return max(float(_final_over_best(evidence, group, column, late).mean()) for column in columns)


def _require_both_stages(evidence):
    evidence.require_memorized()
    evidence.require_peak()
    evidence.require_hidden_layers()


def _share_of_last_third(evidence: Evidence) -> float:
    _require_both_stages(evidence)
    best, final = (
        by_layer(evidence.at_stage("geometry", stage), "permuted", "capacity", evidence.hidden)
        for stage in ("best", "final")
    )
    rises = (final - best).clip(lower=0)
    # A share of next to nothing says where the noise is.
    if not (rises / best).max() >= NOTICEABLE:
        raise NotTestable("in no layer permuted capacity rose by a tenth from the best to the final epoch")
    return float(rises[list(thirds(evidence.hidden)[1])].sum() / rises.sum())


def _largest_change(evidence: Evidence, groups: tuple[str, ...], layers: tuple[str, ...]) -> float:
    return float(max((_final_over_best(evidence, group, "capacity", layers) - 1).abs().max() for group in groups))


def _early_change(evidence: Evidence) -> float:
    _require_both_stages(evidence)
    groups = evidence.at_stage("geometry", "final")["group"].unique()
    return _largest_change(evidence, groups, thirds(evidence.hidden)[0])


def _unpermuted_change(evidence: Evidence) -> float:
    _require_both_stages(evidence)
    return _largest_change(evidence, ("unpermuted",), evidence.hidden)


def _statement(name, figure, statement, quantity, threshold, why, measure, by=JOINT, **options) -> Statement:
    common = {"needs": ("metrics", "geometry"), "level": LEVEL, "by": by}
    return Statement(name, figure, statement, quantity, threshold, why, measure, **common, **options)


STATEMENTS = (
    *(
        _statement(
            f"restored_{column}_like_test",
            "3A",
            f"At the best epoch restored manifolds have the {column} of test manifolds.",
            f"relative difference in {column}, the largest of any hidden layer",
            Threshold("<", NOTICEABLE),
            TENTH,
            functools.partial(_restored_against_test, column=column),
            by=by,
            every_seed=True,
        )
        for column, by in (("capacity", JOINT), ("radius", MEAN_FIELD), ("dimension", MEAN_FIELD))
    ),
    *(
        _statement(
            f"early_layers_alike_{when}",
            figure,
            f"At the {stage} epoch unpermuted, restored and test manifolds are alike in early layers.",
            "capacity, largest over smallest of the groups, less one, the largest of any layer in the first third",
            Threshold("<", NOTICEABLE),
            TENTH,
            functools.partial(_early_unlike, stage=stage),
            every_seed=True,
        )
        for stage, when, figure in (("best", "at_best", "3A"), ("final", "at_the_end", "3B"))
    ),
    _statement(
        "restored_untangle_with_depth",
        "3A",
        "At the best epoch restored manifolds become more separable with depth, though trained on other labels.",
        "restored capacity in the last third of the hidden layers over that in the first",
        Threshold(">", 1 + NOTICEABLE),
        TENTH,
        functools.partial(_late_over_early, column="capacity"),
    ),
    *(
        _statement(
            f"restored_{column}_falls_with_depth",
            "3A",
            f"At the best epoch the {column} of restored manifolds falls with depth.",
            f"restored {column} in the last third of the hidden layers over that in the first",
            Threshold("<", 1 - NOTICEABLE),
            TENTH,
            functools.partial(_late_over_early, column=column),
            by=MEAN_FIELD,
        )
        for column in ("radius", "dimension")
    ),
    _statement(
        "permuted_at_lower_bound",
        "3A",
        "At the best epoch the capacity of permuted manifolds is near the lower bound 2/M in every layer.",
        "permuted capacity in units of 2/M, the highest of any hidden layer",
        Threshold("<", NEAR_BOUND),
        "a quarter: what a hyperplane separates of random labels lies up to a tenth above the bound; mean-field "
        "capacity lies higher where features of few true classes share few directions",
        _bound_at_best,
        every_seed=True,
    ),
    _statement(
        "unpermuted_as_at_best_epoch",
        "3B",
        "At the final epoch unpermuted manifolds are much as at the best epoch.",
        "relative change of unpermuted capacity from best to final epoch, the largest of any hidden layer",
        Threshold("<", NOTICEABLE),
        TENTH,
        _unpermuted_change,
        every_seed=True,
    ),
    _statement(
        "permuted_rise_in_late_layers",
        "3B",
        "At the final epoch permuted manifolds have become separable in late layers.",
        "permuted capacity, final over best epoch, mean over the last third of the hidden layers",
        Threshold(">", NEAR_BOUND),
        "a quarter: further than what still counts as near the lower bound",
        functools.partial(_late_change, group="permuted", columns=("capacity",)),
    ),
    _statement(
        "memorized_mostly_in_late_layers",
        "3B",
        "Memorization takes place predominantly in late layers.",
        "share of the last third of the hidden layers in the rise of permuted capacity from best to final epoch",
        Threshold(">", 0.5),
        "half: predominantly; spread evenly it would be a third at most",
        _share_of_last_third,
        every_seed=True,
    ),
    _statement(
        "permuted_shrink_in_late_layers",
        "3B",
        "There radius and dimension of permuted manifolds fall.",
        "final over best epoch, mean over the last third of the hidden layers; of radius or dimension the larger",
        Threshold("<", 1 - NOTICEABLE),
        TENTH,
        functools.partial(_late_change, group="permuted", columns=("radius", "dimension")),
        by=MEAN_FIELD,
    ),
    _statement(
        "restored_fall_in_late_layers",
        "3B",
        "There restored manifolds lose capacity as permuted ones are memorized.",
        "restored capacity, final over best epoch, mean over the last third of the hidden layers",
        Threshold("<", 1 - NOTICEABLE),
        TENTH,
        functools.partial(_late_change, group="restored", columns=("capacity",)),
    ),
    _statement(
        "early_layers_unchanged",
        "3B",
        "Memorizing leaves the geometry of early layers as it was at the best epoch.",
        "relative change of capacity from best to final epoch, the largest of any group in the first third",
        Threshold("<", NOTICEABLE),
        TENTH,
        _early_change,
        every_seed=True,
    ),
    *other_networks.STATEMENTS,
)
