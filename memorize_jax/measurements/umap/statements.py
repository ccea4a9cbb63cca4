"""Figure 2B: who is near whom in the plane that UMAP draws the last hidden layer in."""

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from memorize_jax.claims.evidence import Evidence, NotTestable
from memorize_jax.claims.statement import NOTICEABLE, Statement, Threshold


def purity(places: np.ndarray, labels: np.ndarray) -> float:
    """Share of the points whose nearest other point has the same label.

    Args:
      places: [n, 2], n >= 2.
      labels: [n].

    Returns:
      1 for classes apart from one another; about one over their number where labels mean nothing.
    """
    _, found = KDTree(places).query(places, k=2)
    own = np.arange(len(places))
    # A point that lies on another may be listed second.
    nearest = np.where(found[:, 0] == own, found[:, 1], found[:, 0])
    return float(np.mean(labels[nearest] == labels))


def _purity_at(evidence: Evidence, group: str, labels: str, stage: str) -> float:
    evidence.require_hidden_layer()
    rows: pd.DataFrame = evidence.at_stage("umap", stage)
    rows = rows[(rows["group"] == group) & (rows["layer"] == evidence.hidden[-1])]
    if len(rows) < 2:
        raise NotTestable(f"no {group} examples were drawn at {evidence.hidden[-1]}")
    return purity(rows[["x", "y"]].to_numpy(), rows[labels].to_numpy())


def _permuted_gain(evidence: Evidence) -> float:
    evidence.require_memorized()
    evidence.require_peak()
    return _purity_at(evidence, "permuted", "assigned", "final") - _purity_at(evidence, "permuted", "assigned", "best")


def _restored_loss(evidence: Evidence) -> float:
    evidence.require_memorized()
    evidence.require_peak()
    return _purity_at(evidence, "restored", "true", "best") - _purity_at(evidence, "restored", "true", "final")


NEEDS = ("metrics", "umap")
POINTS = "ten points: more than a few examples that change places"
STATEMENTS = (
    Statement(
        "permuted_apart_in_the_plane_at_the_end",
        "2B",
        "Permuted classes, mixed at the best epoch, lie apart at the final one.",
        "rise, from best to final epoch, of the share of permuted examples whose nearest one in the plane has the same "
        "assigned label",
        Threshold(">", NOTICEABLE),
        POINTS,
        _permuted_gain,
        needs=NEEDS,
    ),
    Statement(
        "restored_mixed_in_the_plane_at_the_end",
        "2B",
        "Restored classes, apart at the best epoch, are mixed at the final one.",
        "fall, from best to final epoch, of the share of restored examples whose nearest one in the plane has the same "
        "true label",
        Threshold(">", NOTICEABLE),
        POINTS,
        _restored_loss,
        needs=NEEDS,
    ),
)
