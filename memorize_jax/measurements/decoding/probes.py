"""Fitted probes to compare subspaces with, by scikit-learn."""

import warnings

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

NUM_NEIGHBORS = 5
# Steps of L-BFGS. On wrong labels more steps fit more of them: the number is part of the probe, not a failure of it.
MAX_STEPS = 100
PROBES = ("lda", "knn", "logistic")


def fit_probe(name: str, activations: np.ndarray, labels: np.ndarray):
    """Fits a probe to a layer.

    Args:
      name: "lda", linear discriminant analysis with the pooled covariance; "knn", the majority of the 5 neighbors
        nearest in angle; "logistic", multinomial regression on activations divided by their root mean square.
      activations: [n, d].
      labels: [n] integer.

    Returns:
      activations [m, d] -> predicted classes [m] int32.

    Raises:
      ValueError: unknown name.
    """
    if name not in PROBES:
        raise ValueError(f"expected probe to be one of {', '.join(PROBES)}, got {name!r}")
    if len(np.unique(labels)) == 1:
        only = np.int32(labels[0])
        return lambda points: np.full(len(points), only)
    # One factor for the layer: the strength of regularisation must not depend on the unit of its activations.
    unit = float(np.sqrt(np.mean(np.square(activations, dtype=np.float64)))) or 1.0
    if name == "knn":
        # Neighbors in angle are neighbors in distance among unit vectors; zero stays where it is.
        model, prepare = KNeighborsClassifier(min(NUM_NEIGHBORS, len(labels))), _unit_vectors
    elif name == "lda":
        model, prepare = LinearDiscriminantAnalysis(solver="lsqr"), lambda points: points / unit
    else:
        model, prepare = LogisticRegression(max_iter=MAX_STEPS), lambda points: points / unit
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(prepare(activations), labels)
    return lambda points: model.predict(prepare(points)).astype(np.int32)


def _unit_vectors(points):
    norms = np.linalg.norm(points, axis=1, keepdims=True)
    return np.divide(points, norms, out=np.zeros_like(points), where=norms > 0)
