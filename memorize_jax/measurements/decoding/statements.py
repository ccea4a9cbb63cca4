"""The claim of Ketha and Ramaswamy (2025): layers know more than the output shows."""

from memorize_jax.claims.evidence import NotTestable
from memorize_jax.claims.statement import Statement, above, stating

STATEMENTS: list[Statement] = []
stated = stating(STATEMENTS, needs=("metrics", "decoding"))


@stated(
    "Ketha & Ramaswamy 2025",
    "Subspaces of the corrupted labels, read in the best layer, classify better than the network.",
    "test accuracy of the best hidden layer (chosen on the test set, as there) minus that of the final network",
    above(0.1, "ten points: choosing a layer on the test set gains one or two by itself"),
)
def _layers_know_more_than_the_output(evidence):
    evidence.require("memorized")
    rows = evidence.at_stage("decoding", "final")
    rows = rows[(rows["method"] == "masc") & (rows["labels"] == "assigned") & rows["layer"].isin(evidence.hidden)]
    if rows.empty:
        raise NotTestable("no hidden layer was read by subspaces of the assigned labels")
    return float(rows["test_accuracy"].max()) - evidence.final("test_accuracy")
