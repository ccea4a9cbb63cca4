"""Whether wrong labels are memorized one by one, and whether a single run knows which."""

import numpy as np

from memorize_jax.claims.evidence import Evidence, NotTestable
from memorize_jax.claims.statement import Statement, above, stating
from memorize_jax.measurements.scores.correlations import rank_correlations

# Networks that fit fewer of their own examples than this have memorized little that could be scored.
FITTED = 0.9

STATEMENTS: list[Statement] = []
stated = stating(STATEMENTS, needs=("metrics", "memorization_scores", "subset_runs"))


def _scores(evidence: Evidence):
    evidence.require("memorized", "unpermuted labels")
    fitted = evidence.tables["subset_runs"]["subset_accuracy"].mean()
    if fitted < FITTED:
        raise NotTestable(f"the networks fit {fitted:.0%} of the examples they were trained on; train them for longer")
    table = evidence.tables["memorization_scores"].dropna(subset=["memorization"])
    if table.empty:
        raise NotTestable("too few networks were trained with and without each example; raise --subsets")
    return table


@stated(
    "ours",
    "Wrong labels are memorized one by one; the labels of unpermuted examples far less.",
    "mean memorization of permuted examples with a wrong label minus that of unpermuted ones",
    above(0.5, "half of the scale: a wrong label that can be predicted without the example has 0, one that cannot 1"),
)
def _wrong_labels_are_memorized_one_by_one(evidence):
    table = _scores(evidence)
    wrong = table["assigned"] != table["true"]
    return float(table["memorization"][wrong].mean() - table["memorization"][table["is_permuted"] == 0].mean())


@stated(
    "ours",
    "The loss summed over the epochs of one run orders examples as memorization does.",
    "Spearman's rank correlation of cumulative loss with memorization, over all training examples",
    above(0.5, "half of perfect agreement; two groups told apart and no order within them give about .87"),
    needs=("metrics", "memorization_scores", "subset_runs", "per_example"),
)
def _cumulative_loss_orders_as_memorization(evidence):
    found = rank_correlations(_scores(evidence), evidence.tables["per_example"])["cumulative_loss"]
    if not np.isfinite(found):
        raise NotTestable("the cumulative loss is the same for all examples")
    return found
