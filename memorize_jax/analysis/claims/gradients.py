"""Figures 5 and A.1: the parts of the gradient."""

import functools

import numpy as np
import pandas as pd

from memorize_jax.analysis.claims.evidence import Evidence, NotTestable
from memorize_jax.analysis.claims.statement import NOTICEABLE, Statement, Threshold
from memorize_jax.analysis.effects import ratio_range, thirds
from memorize_jax.study import command

# Training has left its start once the loss is below this share of the first one: the output is no longer uniform.
AT_START = 0.9
# "Much larger": twice the norm.
MUCH = 4
# "Similar": within a factor of two.
SIMILAR = 2


def _ledger(evidence: Evidence) -> pd.DataFrame:
    table = evidence.tables["gradients"]
    if (table["weighting"] != "subset").any():
        # Shares would put the ratio of the groups' sizes into the ratio of their gradients.
        raise NotTestable("groups were weighted by their shares; measure with --gradient_weighting=subset")
    return table[table["form"] == "eq15"]


def start_epochs(evidence: Evidence) -> list[int]:
    """The measured epochs near initialisation, where the loss is still within a tenth of the first one.

    Args:
      evidence: with metrics and gradients.

    Returns:
      at least one epoch.

    Raises:
      NotTestable: no gradient was measured there, or the loss hardly changed in all of the training.
    """
    metrics = evidence.tables["metrics"]
    left = metrics[metrics["loss"] < AT_START * metrics["loss"].iloc[0]]["epoch"]
    if left.empty:
        raise NotTestable("the loss never fell by a tenth: there is nothing that near initialisation differs from")
    measured = np.sort(_ledger(evidence)["epoch"].unique())
    found = [int(epoch) for epoch in measured if epoch < left.iloc[0]]
    if not found:
        made_by = f"{command('gradients', evidence.folder)} --gradient_epochs=log,best,final"
        raise NotTestable(f"no gradient was measured near initialisation; measure it with: {made_by}")
    return found


def _ratios_at_start(evidence: Evidence, above: tuple[str, str], below: tuple[str, str]) -> tuple[float, float]:
    """Lowest and highest ratio of squared norms of any layer, geometric means over the epochs at the start."""
    evidence.require_unpermuted()
    if "permuted" in (above[0], below[0]):
        evidence.require_permuted()
    found = [ratio_range(_ledger(evidence), epoch, above, below) for epoch in start_epochs(evidence)]
    if None in found or any(one.low <= 0 for one in found):
        raise NotTestable("a part of the gradient is zero or was not measured")
    low, high = (np.exp(np.mean(np.log([getattr(one, end) for one in found]))) for end in ("low", "high"))
    return float(low), float(high)


def _lowest(evidence: Evidence, above: tuple[str, str], below: tuple[str, str]) -> float:
    return _ratios_at_start(evidence, above, below)[0]


def _highest(evidence: Evidence, above: tuple[str, str], below: tuple[str, str]) -> float:
    return _ratios_at_start(evidence, above, below)[1]


def _largest_factor(evidence: Evidence, above: tuple[str, str], below: tuple[str, str]) -> float:
    low, high = _ratios_at_start(evidence, above, below)
    return max(high, 1 / low)


def _early_over_late(evidence: Evidence) -> float:
    evidence.require_hidden_layers()
    rows = _ledger(evidence)
    rows = rows[(rows["group"] == "all") & (rows["part"] == "full")]
    norms = rows.pivot(index="epoch", columns="layer", values="squared_norm")
    early, late = (norms[list(third)].mean(axis=1) for third in thirds(evidence.hidden))
    return float((early / late).min())


def _total(rows: pd.DataFrame, group: str, part: str) -> pd.Series:
    """Squared norm over all layers, by epoch."""
    own = rows[(rows["group"] == group) & (rows["part"] == part)]
    if own.empty:
        raise NotTestable(f"there are no {group} examples")
    return own.groupby("epoch")["squared_norm"].sum()


def _eq15_at(evidence: Evidence, stage: str) -> pd.DataFrame:
    return evidence._replace(tables={**evidence.tables, "gradients": _ledger(evidence)}).at_stage("gradients", stage)


def _factor_at_end(evidence: Evidence) -> float:
    evidence.require_memorized()
    rows = _eq15_at(evidence, "final")
    unpermuted, permuted = (_total(rows, group, "full").iloc[0] for group in ("unpermuted", "permuted"))
    return float(max(unpermuted / permuted, permuted / unpermuted))


def _start_over_peak(evidence: Evidence) -> float:
    evidence.require_memorized()
    # What the start is compared with must have been measured.
    _eq15_at(evidence, "final")
    total = _total(_ledger(evidence), "permuted", "dep")
    return float(total[start_epochs(evidence)].mean() / total.max())


def _growth(evidence: Evidence) -> float:
    evidence.require_memorized()
    evidence.require_peak()
    best, final = (_eq15_at(evidence, stage) for stage in ("best", "final"))
    return min(
        float(_total(final, group, part).iloc[0] / _total(best, group, part).iloc[0])
        for group in ("unpermuted", "permuted")
        for part in ("dep", "ind")
    )


def _at_start(name, figure, statement, quantity, threshold, why, measure, above, below) -> Statement:
    quantity = f"{quantity}, squared norms, geometric mean over the epochs before the loss fell by a tenth"
    partial = functools.partial(measure, above=above, below=below)
    return Statement(name, figure, statement, quantity, threshold, why, partial, needs=NEEDS)


NEEDS = ("metrics", "gradients")
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
    ),
    _at_start(
        "unpermuted_dep_above_ind",
        "5D",
        "Near initialisation the label-dependent part leads on unpermuted examples.",
        "dep over ind on unpermuted examples, the lowest of any layer",
        Threshold(">", MUCH),
        "four, twice in norm: clearly larger",
        _lowest,
        ("unpermuted", "dep"),
        ("unpermuted", "ind"),
    ),
    _at_start(
        "permuted_dep_below_ind",
        "5E",
        "Near initialisation the label-dependent part is the smaller one on permuted examples.",
        "dep over ind on permuted examples, the highest of any layer",
        Threshold("<", 1),
        "the statement itself, which names no size",
        _highest,
        ("permuted", "dep"),
        ("permuted", "ind"),
    ),
    _at_start(
        "unpermuted_dep_above_permuted_dep",
        "5F",
        "Near initialisation the label-dependent part comes from unpermuted examples.",
        "dep on unpermuted over dep on permuted examples, the lowest of any layer",
        Threshold(">", MUCH),
        "four, twice in norm: clearly larger",
        _lowest,
        ("unpermuted", "dep"),
        ("permuted", "dep"),
    ),
    _at_start(
        "ind_alike_on_both_groups",
        "5",
        "Near initialisation the label-independent part is about as large on both groups.",
        "factor between ind on unpermuted and on permuted examples, the largest of any layer",
        Threshold("<", SIMILAR),
        "a factor of two: roughly equal",
        _largest_factor,
        ("unpermuted", "ind"),
        ("permuted", "ind"),
    ),
    Statement(
        "permuted_dep_starts_near_zero",
        "A.1",
        "Near initialisation permuted examples contribute close to nothing by their labels.",
        "dep on permuted examples over all layers, squared norm, mean over the epochs before the loss fell by a tenth, "
        "over its highest value",
        Threshold("<", NOTICEABLE),
        "a tenth of what it becomes",
        _start_over_peak,
        needs=NEEDS,
    ),
    Statement(
        "parts_grow_while_they_cancel",
        "A.1",
        "Both parts grow to the end of training, though their sum goes to zero.",
        "squared norm over all layers, final over best epoch, the least of dep and ind on both groups",
        Threshold(">", 1),
        "the statement itself, which names no size",
        _growth,
        needs=NEEDS,
    ),
)
