"""Fitted probes to compare subspaces with, by scikit-learn."""

import warnings
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

NUM_NEIGHBORS = 5
# Steps of L-BFGS. On wrong labels more steps fit more of them: the number is part of the probe, not a failure of it.
MAX_STEPS = 100
PROBES = ("lda", "knn", "logistic")
# In place of a class.
NO_ANSWER = np.int32(-1)


def fit_probe(
    name: str, activations: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"]
) -> Callable[[np.ndarray], np.ndarray]:
    """Fits a probe to a layer; the result takes activations [m, d] and gives predicted classes [m] int32.

    `NO_ANSWER` comes from "lda" where no example differs from another of its class, so that there is no covariance.

    Args:
      name: "lda", linear discriminant analysis with the pooled covariance, in the directions in which it is not zero
        (of features at unit variance within classes); "knn", the majority of the 5 neighbors
        nearest in angle; "logistic", multinomial regression on activations divided by their root mean square.
      activations: of all classes.
      labels: that are fitted.

    Raises:
      ValueError: unknown name.
    """
    if name not in PROBES:
        raise ValueError(f"expected probe to be one of {', '.join(PROBES)}, got {name!r}")
    if len(np.unique(labels)) == 1:
        only = np.int32(labels[0])
        return lambda points: np.full(len(points), only)
    # One factor for the layer: the strength of regularization must not depend on the unit of its activations.
    unit = float(np.sqrt(np.mean(np.square(activations, dtype=np.float64)))) or 1.0
    if name == "knn":
        # Neighbors in angle are neighbors in distance among unit vectors; zero stays where it is.
        model, prepare = KNeighborsClassifier(min(NUM_NEIGHBORS, len(labels))), _unit_vectors
    elif name == "lda":
        if not _differ_within_classes(activations, labels):
            return lambda points: np.full(len(points), NO_ANSWER)
        # By singular values of the data: solvers of the covariance turn rounding into weights where features outnumber
        # examples. In float64 and from one of the examples on, so that features that are constant are zeros.
        model = LinearDiscriminantAnalysis(solver="svd")
        origin = np.array(activations[0], np.float64)
        prepare = lambda points: np.asarray(points, np.float64) - origin
    else:
        model, prepare = LogisticRegression(max_iter=MAX_STEPS), lambda points: points / unit
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(prepare(activations), labels)
    return lambda points: np.asarray(model.predict(prepare(points)), np.int32)


def _differ_within_classes(activations, labels):
    _, first, place = np.unique(labels, return_index=True, return_inverse=True)
    return bool((activations != activations[first[place]]).any())


def _unit_vectors(points):
    norms = np.linalg.norm(points, axis=1, keepdims=True)
    return np.divide(points, norms, out=np.zeros_like(points), where=norms > 0)
