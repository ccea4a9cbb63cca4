"""Figure 2B: label purity of nearest neighbors in the UMAP embedding of the last hidden layer."""

import numpy as np
from scipy.spatial import KDTree

from memorize_jax.claims.evidence import Evidence, NotTestable
from memorize_jax.claims.statement import NOTICEABLE, Statement, above, stating


def purity(places: np.ndarray, labels: np.ndarray) -> float:
    """Share of the points [n >= 2, 2] whose nearest other point has the same label.

    1 for classes apart from one another; about one over their number where labels mean nothing.
    """
    found = np.asarray(KDTree(places).query(places, k=2)[1])
    own = np.arange(len(places))
    # A point that lies on another may be listed second.
    nearest = np.where(found[:, 0] == own, found[:, 1], found[:, 0])
    return float(np.mean(labels[nearest] == labels))


def _rise(evidence: Evidence, group: str, labels: str) -> float:
    """How much purity rises from the best to the final epoch."""
    evidence.require("memorized", "peak", "hidden layer")
    best, final = (_purity_at(evidence, group, labels, stage) for stage in ("best", "final"))
    return final - best


def _purity_at(evidence, group, labels, stage):
    rows = evidence.at_stage("umap", stage)
    rows = rows[(rows["group"] == group) & (rows["layer"] == evidence.hidden[-1])]
    if len(rows) < 2:
        raise NotTestable(f"no {group} examples were drawn at {evidence.hidden[-1]}")
    return purity(rows[["x", "y"]].to_numpy(), rows[labels].to_numpy())


STATEMENTS: list[Statement] = []
stated = stating(STATEMENTS, needs=("metrics", "umap"))
POINTS = "ten points: more than a few examples that change places"


@stated(
    "2B",
    "Permuted classes, mixed at the best epoch, lie apart at the final one.",
    "rise, from best to final epoch, of the share of permuted examples whose nearest neighbor in the embedding "
    "has the same assigned label",
    above(NOTICEABLE, POINTS),
)
def _permuted_apart_in_the_plane_at_the_end(evidence):
    return _rise(evidence, "permuted", "assigned")


@stated(
    "2B",
    "Restored classes, apart at the best epoch, are mixed at the final one.",
    "fall, from best to final epoch, of the share of restored examples whose nearest neighbor in the embedding "
    "has the same true label",
    above(NOTICEABLE, POINTS),
)
def _restored_mixed_in_the_plane_at_the_end(evidence):
    return -_rise(evidence, "restored", "true")
