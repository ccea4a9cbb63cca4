"""Figures 5 and A.1: the parts of the gradient."""

from collections.abc import Callable

import numpy as np

from memorize_jax.claims.evidence import HALF, Evidence, NotTestable
from memorize_jax.claims.shapes import thirds
from memorize_jax.claims.statement import NOTICEABLE, Statement, Threshold
from memorize_jax.measurements.gradients.shares import (
    FEWEST_PERMUTED,
    FORMS,
    factor,
    measure_again,
    names_of_forms,
    ratios,
    require_many_permuted,
    rows_at,
    rows_of,
    start_epochs,
    total,
)

# "Much larger": twice the norm.
MUCH = 4
# "Similar": within a factor of two.
SIMILAR = 2


def _ratios_at_start(
    evidence: Evidence, form: str, above: tuple[str, str], below: tuple[str, str]
) -> tuple[float, float]:
    """Lowest and highest ratio of squared norms of any layer, geometric means over the epochs at the start."""
    evidence.require_unpermuted()
    if "permuted" in (above[0], below[0]):
        evidence.require_permuted()
        require_many_permuted(evidence)
    found = [ratios(rows_of(evidence, form), epoch, above, below) for epoch in start_epochs(evidence)]
    low, high = np.exp(np.mean(np.log(found), axis=0))
    return float(low), float(high)


def _lowest(evidence: Evidence, form: str, above: tuple[str, str], below: tuple[str, str]) -> float:
    return _ratios_at_start(evidence, form, above, below)[0]


def _highest(evidence: Evidence, form: str, above: tuple[str, str], below: tuple[str, str]) -> float:
    return _ratios_at_start(evidence, form, above, below)[1]


def _largest_factor(evidence: Evidence, form: str) -> float:
    """Between ind of both groups, at any measured epoch."""
    evidence.require_memorized()
    evidence.require_unpermuted()
    # At the start no label matters to it: the end must have been measured.
    rows_at(evidence, form, "final")
    rows = rows_of(evidence, form)
    epochs = np.sort(rows["epoch"].unique())
    return max(factor(*ratios(rows, epoch, ("unpermuted", "ind"), ("permuted", "ind"))) for epoch in epochs)


def _equilibrium(evidence: Evidence, form: str) -> float:
    """The first measured epoch from which on dep and ind are similar in every layer, in units of the best epoch."""
    evidence.require_memorized()
    evidence.require_peak()
    best, _ = (rows_at(evidence, form, stage)["epoch"].iloc[0] for stage in ("best", "final"))
    rows = rows_of(evidence, form)
    since = float("nan")
    for epoch in np.sort(rows["epoch"].unique())[::-1]:
        if factor(*ratios(rows, epoch, ("unpermuted", "dep"), ("unpermuted", "ind"))) >= SIMILAR:
            break
        since = epoch
    return 0.0 if np.isnan(since) else float(since / best)


def _early_over_late(evidence: Evidence) -> float:
    evidence.require_hidden_layers()
    rows = rows_of(evidence)
    rows = rows[(rows["group"] == "all") & (rows["part"] == "full")]
    norms = rows.pivot(index="epoch", columns="layer", values="squared_norm")
    early, late = (norms[list(third)].mean(axis=1) for third in thirds(evidence.hidden))
    return float((early / late).min())


def _until_memorized(evidence: Evidence) -> float:
    evidence.require_memorized()
    evidence.require_peak()
    rows_at(evidence, "eq15", "best")
    metrics, norms = evidence.tables["metrics"], total(rows_of(evidence), "all", "full")
    memorized = metrics.loc[metrics["permuted_accuracy"] >= HALF, "epoch"].min()
    first = start_epochs(evidence)[0]
    return float(norms[norms.index <= memorized].min() / norms[first])


def _leads_at_start(evidence: Evidence) -> float:
    evidence.require_unpermuted()
    evidence.require_permuted()
    require_many_permuted(evidence)
    rows, epochs = rows_of(evidence), start_epochs(evidence)
    unpermuted, permuted = (total(rows, group, "full")[epochs] for group in ("unpermuted", "permuted"))
    return float(np.exp(np.mean(np.log(unpermuted / permuted))))


def _factor_at_end(evidence: Evidence) -> float:
    evidence.require_memorized()
    rows = rows_at(evidence, "eq15", "final")
    ratio = float(total(rows, "unpermuted", "full").iloc[0] / total(rows, "permuted", "full").iloc[0])
    return factor(ratio, ratio)


def _permuted_over_unpermuted(evidence: Evidence, form: str) -> float:
    evidence.require_memorized()
    evidence.require_unpermuted()
    require_many_permuted(evidence)
    first, rows = start_epochs(evidence)[0], rows_of(evidence, form)
    if first > 0:
        raise NotTestable(
            f"no gradient was measured at epoch 0; {measure_again(evidence)} --gradient_epochs=log,best,final"
        )
    permuted, unpermuted = (total(rows, group, "dep")[0] for group in ("permuted", "unpermuted"))
    return float(permuted / unpermuted)


def _growth(evidence: Evidence, form: str) -> float:
    evidence.require_memorized()
    evidence.require_peak()
    best, final = (rows_at(evidence, form, stage) for stage in ("best", "final"))
    return min(
        float(total(final, group, part).iloc[0] / total(best, group, part).iloc[0])
        for group in ("unpermuted", "permuted")
        for part in ("dep", "ind")
    )


def _by_both_forms(name, figure, statement, quantity, threshold, why, measure: Callable, **options) -> Statement:
    def both(evidence):
        return np.array([measure(evidence, form, **options) for form in FORMS])

    quantity = f"{quantity}; by equation 15 and by equation 2 or 16, the less favorable"
    shared = {"needs": NEEDS, "every_seed": True, "forms": names_of_forms}
    return Statement(name, figure, statement, quantity, threshold, why, both, **shared)


def _at_start(name, figure, statement, quantity, threshold, why, measure, above, below) -> Statement:
    return _by_both_forms(
        name, figure, statement, f"{quantity}{NEAR_START}", threshold, why, measure, above=above, below=below
    )


NEEDS = ("metrics", "gradients")
NEAR_START = (
    ", squared norms, geometric mean over epoch 0 and the epochs before test accuracy reached twice what chance gives"
)
IF_MANY = f"; with fewer than {FEWEST_PERMUTED} permuted examples per class not testable"
STATEMENTS = (
    Statement(
        "gradients_do_not_vanish",
        "5A",
        "The gradient does not vanish in early layers.",
        "squared norm on all examples, mean over the first third of the hidden layers over that of the last, the least "
        "of any epoch",
        Threshold(">", 0.1),
        "a tenth, a third in norm: gradients that vanish do so by orders of magnitude",
        _early_over_late,
        needs=NEEDS,
        every_seed=True,
    ),
    Statement(
        "gradients_not_small_until_memorized",
        "5A",
        "The gradient is not small until well after memorization.",
        "squared norm on all examples over all layers, the least of any measured epoch until half of the permuted "
        "examples are fitted, over that of the first one",
        Threshold(">", 0.1),
        "a tenth, a third in norm, as for layers",
        _until_memorized,
        needs=NEEDS,
        every_seed=True,
    ),
    Statement(
        "unpermuted_gradient_leads_at_start",
        "5B-C",
        "Near initialization the gradient comes from unpermuted examples.",
        f"squared norm on unpermuted over that on permuted examples, over all layers{NEAR_START}{IF_MANY}",
        Threshold(">", MUCH),
        "four, twice in norm: clearly larger",
        _leads_at_start,
        needs=NEEDS,
    ),
    Statement(
        "groups_contribute_alike_at_the_end",
        "5B-C",
        "In the last phase unpermuted and permuted examples contribute similarly to the gradient.",
        "factor between their squared norms over all layers at the final epoch",
        Threshold("<", SIMILAR),
        "a factor of two: similar",
        _factor_at_end,
        needs=NEEDS,
        every_seed=True,
    ),
    _at_start(
        "unpermuted_dep_above_ind",
        "5D",
        "Near initialization the label-dependent part leads on unpermuted examples.",
        "dep over ind on unpermuted examples, the lowest of any layer",
        Threshold(">", MUCH),
        "four, twice in norm: clearly larger",
        _lowest,
        ("unpermuted", "dep"),
        ("unpermuted", "ind"),
    ),
    _by_both_forms(
        "parts_equilibrate_late",
        "5D",
        "On unpermuted examples both parts become equally large, and only late.",
        "first measured epoch from which on dep and ind on unpermuted examples are, in every layer, within a factor of "
        "two, squared norms, over the best epoch; 0 if there is none",
        Threshold(">", 1),
        "later than the best epoch: while the network memorizes",
        _equilibrium,
    ),
    _at_start(
        "permuted_dep_below_ind",
        "5E",
        "Near initialization the label-dependent part is the smaller one on permuted examples.",
        "dep over ind on permuted examples, the highest of any layer",
        Threshold("<", 1),
        f"the statement itself, which names no size{IF_MANY}",
        _highest,
        ("permuted", "dep"),
        ("permuted", "ind"),
    ),
    _at_start(
        "unpermuted_dep_above_permuted_dep",
        "5F",
        "Near initialization the label-dependent part comes from unpermuted examples.",
        "dep on unpermuted over dep on permuted examples, the lowest of any layer",
        Threshold(">", MUCH),
        f"four, twice in norm: clearly larger{IF_MANY}",
        _lowest,
        ("unpermuted", "dep"),
        ("permuted", "dep"),
    ),
    _by_both_forms(
        "ind_alike_on_both_groups",
        "5",
        "Throughout training the label-independent part is about as large on both groups.",
        "factor between ind on unpermuted and on permuted examples, squared norms, the largest of any layer and any "
        "measured epoch",
        Threshold("<", SIMILAR),
        "a factor of two: roughly equal; at the end the paper has it slightly larger on unpermuted examples (A.1)",
        _largest_factor,
    ),
    _by_both_forms(
        "permuted_dep_starts_near_zero",
        "A.1",
        "Early in training permuted examples contribute close to nothing by their labels.",
        "dep on permuted over dep on unpermuted examples, squared norms over all layers, at epoch 0",
        Threshold("<", NOTICEABLE),
        f"a tenth, a third in norm{IF_MANY}",
        _permuted_over_unpermuted,
    ),
    _by_both_forms(
        "parts_grow_while_they_cancel",
        "A.1",
        "Both parts grow to the end of training, though their sum goes to zero.",
        "squared norm over all layers, final over best epoch, the least of dep and ind on both groups",
        Threshold(">", 1),
        "the statement itself, which names no size",
        _growth,
    ),
)
