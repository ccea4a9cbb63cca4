"""Which layer to read: chosen on held-out training examples, and, reported apart, the oracle's choice on test."""

import pandas as pd

GROUP = ["seed", "epoch", "method", "labels"]
# Prefix of the result -> the accuracy that decides.
CRITERIA = {"": "validation_accuracy", "clean_": "clean_validation_accuracy", "oracle_": "test_accuracy"}


def choose_layers(table: pd.DataFrame) -> pd.DataFrame:
    """Chooses a layer for every epoch, method and kind of labels.

    Held-out examples are held out from the probe only. A network that memorized their assigned labels shows them in
    its last layers, so a choice by assigned labels leans toward the layers that memorized most; the choice by true
    labels needs a tenth of the training set relabeled, and the oracle the test set.

    Args:
      table: results/decoding.csv; rows without a validation accuracy take no part.

    Returns:
      A row per choice with three layers, the first of equals, each with its test accuracy: `layer`, of highest
      accuracy on held-out examples by the labels that were fitted, `clean_layer`, by their true labels, and
      `oracle_layer`, of highest test accuracy.
    """
    rows = []
    usable = table.dropna(subset=["validation_accuracy"]).sort_values("layer_number", kind="stable")
    for _, group in usable.groupby(GROUP, sort=False):
        first = group.to_dict("records")[0]
        row = {name: first[name] for name in GROUP} | {"validation_accuracy": group["validation_accuracy"].max()}
        for prefix, criterion in CRITERIA.items():
            chosen = group.loc[group[criterion].idxmax()]
            row |= {f"{prefix}layer": chosen["layer"], f"{prefix}test_accuracy": chosen["test_accuracy"]}
        rows.append(row)
    names = [f"{prefix}{name}" for prefix in CRITERIA for name in ("layer", "test_accuracy")]
    return pd.DataFrame(rows, columns=[*GROUP, "validation_accuracy", *names])
