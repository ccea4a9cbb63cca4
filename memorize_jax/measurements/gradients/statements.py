"""Figures 5 and A.1: the parts of the gradient."""

import numpy as np

from memorize_jax.claims.evidence import HALF, Evidence, NotTestable
from memorize_jax.claims.shapes import thirds
from memorize_jax.claims.statement import NOTICEABLE, Statement, above, below, stating
from memorize_jax.epochs import best_epoch
from memorize_jax.measurements.gradients.ratios import P_DEP, P_IND, U_DEP, U_IND, Part
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
from memorize_jax.studies.study import command

# "Much larger": twice the norm.
MUCH = 4
# "Small": a tenth, a third in norm.
SMALL = 0.1
# "Similar": within a factor of two.
SIMILAR = 2
NEAR_START = (
    ", squared norms, geometric mean over epoch 0 and the epochs before test accuracy reached twice what chance gives"
)
ROUGHLY = "a factor of two: roughly equal; at the end the paper has it slightly larger on unpermuted examples (A.1)"
IF_MANY = f"; with fewer than {FEWEST_PERMUTED} permuted examples per class not testable"
STATEMENTS: list[Statement] = []
stated = stating(STATEMENTS, needs=("metrics", "gradients"))
by_every_seed = stating(STATEMENTS, needs=("metrics", "gradients"), every_seed=True)
_by_forms = stating(STATEMENTS, needs=("metrics", "gradients"), every_seed=True, forms=names_of_forms)


def by_both_forms(figure, statement, quantity, threshold):
    """Decorates a measure that takes (evidence, form)."""

    def add(measure):
        quantities = f"{quantity}; by equation 15 and by equation 2 or 16, the less favorable"
        both = lambda evidence: np.array([measure(evidence, form) for form in FORMS])
        return _by_forms(figure, statement, quantities, threshold, name=measure.__name__.removeprefix("_"))(both)

    return add


def _at_start(evidence: Evidence, form: str, above: Part, below: Part) -> tuple[float, float]:
    """Lowest and highest ratio of squared norms of any layer, geometric means over the epochs at the start."""
    evidence.require("unpermuted labels")
    if "permuted" in (above[0], below[0]):
        evidence.require("permuted labels")
        require_many_permuted(evidence)
    found = [ratios(rows_of(evidence, form), epoch, above, below) for epoch in start_epochs(evidence)]
    low, high = np.exp(np.mean(np.log(found), axis=0))
    return float(low), float(high)


@by_every_seed(
    "5A",
    "The gradient does not vanish in early layers.",
    "squared norm on all examples, mean over the first third of the hidden layers over that of the last, the least "
    "of any epoch",
    above(SMALL, "a tenth, a third in norm: gradients that vanish do so by orders of magnitude"),
)
def _gradients_do_not_vanish(evidence):
    evidence.require("early and late layers")
    # What is said of all of training is not decided by its beginning.
    rows_at(evidence, "eq15", "final")
    rows = rows_of(evidence)
    rows = rows[(rows["group"] == "all") & (rows["part"] == "full")]
    norms = rows.pivot(index="epoch", columns="layer", values="squared_norm")
    early, late = (norms[list(third)].mean(axis=1) for third in thirds(evidence.hidden))
    return float((early / late).min())


@by_every_seed(
    "5A",
    "The gradient is not small until well after memorization.",
    "squared norm on all examples over all layers, the least of any measured epoch until half of the permuted "
    "examples are fitted, and where none of them comes after the best one, of the next, over that of the first one",
    above(SMALL, "a tenth, a third in norm, as for layers"),
)
def _gradients_not_small_until_memorized(evidence):
    evidence.require("memorized", "peak")
    for stage in ("best", "final"):
        rows_at(evidence, "eq15", stage)
    metrics, norms = evidence.tables["metrics"], total(rows_of(evidence), "all", "full")
    norms = norms / norms[start_epochs(evidence)[0]]
    memorized, best = metrics.loc[metrics["permuted_accuracy"] >= HALF, "epoch"].min(), best_epoch(metrics)
    until = norms[norms.index <= memorized]
    if memorized <= best or until.index.max() > best:
        return float(until.min())
    # Nothing was measured while it memorized. What is not small afterward was not small before.
    after = norms[norms.index > memorized].iloc[0]
    if after <= SMALL:
        between = f"no gradient was measured after the best epoch, {best}, until memorization, at {memorized}"
        made_by = f"{command('gradients', evidence.folder)} --gradient_epochs=log,best,{memorized},final"
        raise NotTestable(f"{between}, and the next is small; measure it with: {made_by}")
    return float(min(until.min(), after))


@stated(
    "5B-C",
    "Near initialization the gradient comes from unpermuted examples.",
    f"squared norm on unpermuted over that on permuted examples, over all layers{NEAR_START}{IF_MANY}",
    above(MUCH, "four, twice in norm: clearly larger"),
)
def _unpermuted_gradient_leads_at_start(evidence):
    evidence.require("unpermuted labels", "permuted labels")
    require_many_permuted(evidence)
    rows, epochs = rows_of(evidence), start_epochs(evidence)
    unpermuted, permuted = (total(rows, group, "full")[epochs] for group in ("unpermuted", "permuted"))
    return float(np.exp(np.mean(np.log(unpermuted / permuted))))


@by_every_seed(
    "5B-C",
    "In the last phase unpermuted and permuted examples contribute similarly to the gradient.",
    "factor between their squared norms over all layers at the final epoch",
    below(SIMILAR, "a factor of two: similar"),
)
def _groups_contribute_alike_at_the_end(evidence):
    evidence.require("memorized")
    rows = rows_at(evidence, "eq15", "final")
    ratio = float((total(rows, "unpermuted", "full") / total(rows, "permuted", "full")).iloc[0])
    return factor(ratio, ratio)


@by_both_forms(
    "5D",
    "Near initialization the label-dependent part leads on unpermuted examples.",
    f"dep over ind on unpermuted examples, the lowest of any layer{NEAR_START}",
    above(MUCH, "four, twice in norm: clearly larger"),
)
def _unpermuted_dep_above_ind(evidence, form):
    return _at_start(evidence, form, U_DEP, U_IND)[0]


@by_both_forms(
    "5D",
    "On unpermuted examples both parts become equally large, and only late.",
    "first measured epoch from which on dep and ind on unpermuted examples are, in every layer, within a factor of "
    "two, squared norms, over the best epoch; 0 if there is none",
    above(1, "later than the best epoch: while the network memorizes"),
)
def _parts_equilibrate_late(evidence, form):
    evidence.require("memorized", "peak")
    best, _ = (rows_at(evidence, form, stage)["epoch"].iloc[0] for stage in ("best", "final"))
    rows, since = rows_of(evidence, form), 0
    for epoch in np.sort(rows["epoch"].unique())[::-1]:
        if factor(*ratios(rows, epoch, U_DEP, U_IND)) >= SIMILAR:
            break
        since = epoch
    return float(since / best)


@by_both_forms(
    "5E",
    "Near initialization the label-dependent part is the smaller one on permuted examples.",
    f"dep over ind on permuted examples, the highest of any layer{NEAR_START}",
    below(1, f"the statement itself, which names no size{IF_MANY}"),
)
def _permuted_dep_below_ind(evidence, form):
    return _at_start(evidence, form, P_DEP, P_IND)[1]


@by_both_forms(
    "5F",
    "Near initialization the label-dependent part comes from unpermuted examples.",
    f"dep on unpermuted over dep on permuted examples, the lowest of any layer{NEAR_START}",
    above(MUCH, f"four, twice in norm: clearly larger{IF_MANY}"),
)
def _unpermuted_dep_above_permuted_dep(evidence, form):
    return _at_start(evidence, form, U_DEP, P_DEP)[0]


@by_both_forms(
    "5",
    "Throughout training the label-independent part is about as large on both groups.",
    "factor between ind on unpermuted and on permuted examples, squared norms, the largest of any layer and any "
    "measured epoch",
    below(SIMILAR, ROUGHLY),
)
def _ind_alike_on_both_groups(evidence, form):
    evidence.require("memorized", "unpermuted labels")
    # At the start no label matters to it: the end must have been measured.
    rows_at(evidence, form, "final")
    rows = rows_of(evidence, form)
    return max(factor(*ratios(rows, epoch, U_IND, P_IND)) for epoch in np.sort(rows["epoch"].unique()))


@by_both_forms(
    "A.1",
    "Early in training permuted examples contribute close to nothing by their labels.",
    "dep on permuted over dep on unpermuted examples, squared norms over all layers, at epoch 0",
    below(NOTICEABLE, f"a tenth, a third in norm{IF_MANY}"),
)
def _permuted_dep_starts_near_zero(evidence, form):
    evidence.require("memorized", "unpermuted labels")
    require_many_permuted(evidence)
    first, rows = start_epochs(evidence)[0], rows_of(evidence, form)
    if first > 0:
        raise NotTestable(
            f"no gradient was measured at epoch 0; {measure_again(evidence)} --gradient_epochs=log,best,final"
        )
    return float(total(rows, *P_DEP)[0] / total(rows, *U_DEP)[0])


@by_both_forms(
    "A.1",
    "Both parts grow to the end of training, though their sum goes to zero.",
    "squared norm over all layers, final over best epoch, the least of dep and ind on both groups",
    above(1, "the statement itself, which names no size"),
)
def _parts_grow_while_they_cancel(evidence, form):
    evidence.require("memorized", "peak")
    best, final = (rows_at(evidence, form, stage) for stage in ("best", "final"))
    parts = (U_DEP, U_IND, P_DEP, P_IND)
    return min(float(total(final, *part).iloc[0] / total(best, *part).iloc[0]) for part in parts)
