"""Training examples ranked by how likely their label is wrong, in the form that users of cleanlab know."""

import pathlib
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from scipy import special

from memorize_jax.measurements.per_example.dynamics import NONE
from memorize_jax.runs.folder import member_folders
from memorize_jax.runs.run import open_run

# Score -> label quality between 0 and 1 in the same order of examples, 0 for the most suspicious.
QUALITY: Mapping[str, Callable[[pd.DataFrame], pd.Series]] = {
    "cumulative_loss": lambda table: np.exp(-table["cumulative_loss"] / table["num_epochs"]),
    "aum": lambda table: special.expit(table["aum"]),
    "loss_best": lambda table: np.exp(-table["loss_best"]),
    "loss_final": lambda table: np.exp(-table["loss_final"]),
}


def find_label_errors(workdir: str | pathlib.Path, *, score: str = "cumulative_loss") -> pd.DataFrame:
    """Ranks the training examples of a run by how likely their label is wrong, the most suspicious first.

    Reads results/per_example.csv; of true labels it uses none, but that the best epoch is the one of highest accuracy
    on the test set.

    Args:
      workdir: folder of a run, of an ensemble that of one seed.
      score: what is ranked by: cumulative_loss, of which exp(-mean) is the label quality: the geometric mean, over the
        stored epochs, of the probability of the given label; aum, whose logistic function is; loss_best or loss_final,
        whose exp(-loss) is the probability of the given label at that epoch, cleanlab's self-confidence.

    Returns:
      A row per example, whose number in the training set is the index, as `Datalab.get_issues("label")` has them:
      is_label_issue, whether the network of the best epoch predicts another label than the given one; label_score, the
      label quality; given_label; predicted_label, at the best epoch. Then all columns of the table but `example`.

    Raises:
      ValueError: unknown score, or it was not measured; says with which command to do that.
    """
    if score not in QUALITY:
        raise ValueError(f"expected score to be one of {', '.join(QUALITY)}, got {score!r}")
    if members := member_folders(workdir):
        raise ValueError(f"expected the folder of one run, got several seeds in {workdir}; rank those of {members[0]}")
    try:
        table = open_run(workdir).table("per_example").set_index("example")
    except FileNotFoundError as error:
        raise ValueError(str(error)) from error
    if (table["predicted_best"] == NONE).any():
        raise ValueError(f"expected predictions of the best epoch in {workdir}, got none: its network was damaged")
    quality = QUALITY[score](table)
    if quality.isna().any():
        raise ValueError(f"expected {score} of every example in {workdir}, got none: a network was damaged")
    form = {
        "is_label_issue": table["predicted_best"] != table["assigned"],
        "label_score": quality,
        "given_label": table["assigned"],
        "predicted_label": table["predicted_best"],
    }
    return pd.DataFrame({**form, **table}).sort_values("label_score", kind="stable")
