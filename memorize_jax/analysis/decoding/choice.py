"""Which layer to read: chosen on held-out training examples, and, reported apart, the oracle's choice on test."""

import pandas as pd

GROUP = ["seed", "epoch", "method", "labels"]


def choose_layers(table: pd.DataFrame) -> pd.DataFrame:
    """Chooses a layer for every epoch, method and kind of labels.

    Args:
      table: with the columns of results/decoding.csv; rows without a validation accuracy take no part.

    Returns:
      a row per choice: layer (highest validation accuracy, the first of equals), its validation_accuracy and
      test_accuracy; oracle_layer (highest test accuracy, which nobody without the test labels can know) and
      oracle_test_accuracy.
    """
    rows = []
    usable = table.dropna(subset=["validation_accuracy"]).sort_values("layer_number", kind="stable")
    for key, group in usable.groupby(GROUP, sort=False):
        chosen = group.loc[group["validation_accuracy"].idxmax()]
        oracle = group.loc[group["test_accuracy"].idxmax()]
        rows.append(
            dict(zip(GROUP, key, strict=True))
            | {name: chosen[name] for name in ("layer", "validation_accuracy", "test_accuracy")}
            | {"oracle_layer": oracle["layer"], "oracle_test_accuracy": oracle["test_accuracy"]}
        )
    columns = [*GROUP, "layer", "validation_accuracy", "test_accuracy", "oracle_layer", "oracle_test_accuracy"]
    return pd.DataFrame(rows, columns=columns)
