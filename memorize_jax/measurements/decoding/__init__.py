"""Reads true labels out of the layers of a network that memorized wrong ones.

    python -m experiments.decoding --workdir=runs/mine --decoding_epochs=0,best,final

Writes results/decoding.csv, a row per epoch, layer, method and kind of labels, and results/decoding_choice.csv, the
layer to read for each method.
"""

import dataclasses
import importlib

import numpy as np

from memorize_jax import models
from memorize_jax.activations import HOST_BYTES, INPUT
from memorize_jax.config import Settings, setting
from memorize_jax.measurements.measurement import Measurement, Table
from memorize_jax.storage.tables import DECODING, DECODING_CHOICE

# Loaded when asked for: whoever only lists the measurements needs no solver.
LATER = ("Subspaces", "classify", "fit_subspaces")
__all__ = ["MEASUREMENT", "DecodingSettings", "select_layers", *LATER]


def __getattr__(name):
    if name not in LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.subspaces"), name)


@dataclasses.dataclass(frozen=True)
class DecodingSettings(Settings):
    """Settings of decoding."""

    decoding_epochs: str = setting(
        "0,best,final", "Epochs to read with all controls: comma-separated numbers and best, final, all, log."
    )
    decoding_dynamics: int = setting(
        8, "Also read this many epochs, spread over the run, by the closed-form methods.", least=0
    )
    decoding_layers: str = setting("all", "Layers to read: comma-separated names, or all.")
    probe_examples: int = setting(
        5_000, "Training examples that scikit-learn's probes are fitted to, at most.", least=10
    )
    decoding_dtype: str = setting("float32", "Precision of the subspaces.", choices=("float32", "float64"))


def select_layers(model: str, choice: str) -> dict[str, int]:
    """Name -> number of the layers that a choice means, in order.

    Args:
      model: name of the network.
      choice: comma-separated names, or "all"; "input" is the network's input.

    Raises:
      ValueError: the network has no such layer.
    """
    known = {INPUT: 0, **{layer.name: layer.number for layer in models.layers(model)}}
    names = list(known) if choice == "all" else [name.strip() for name in choice.split(",")]
    for name in names:
        if name not in known:
            raise ValueError(f"expected decoding_layers to be all or some of {', '.join(known)}, got {name!r}")
    return {name: number for name, number in known.items() if name in names}


def _check(config, splits, labels, settings):
    select_layers(config.model, settings.decoding_layers)


METHOD = (
    "how the layer is read: masc (the class subspace nearest in angle, with 99 % of the variance), masc_0.75 (with 75 "
    "%), masc_1 (with one direction), velpic (one direction of each class, with a sign), class_mean (the class mean "
    "nearest in angle), lda, knn, logistic (probes of scikit-learn)"
)
LABELS = "labels that the method was fitted to, assigned or true"
MEANINGS = {
    "method": f"{METHOD}, edited_network (the network with the directions of velpic as weights of its last layer), "
    "network (the network as it is)",
    "labels": f"{LABELS}; of network assigned, those that it was trained on",
    "train_accuracy": "share (0 to 1) of training examples, 10,000 at most, that get the label that was fitted; of "
    "network of all of them",
    "restored_accuracy": "share (0 to 1) of the permuted examples among these that get their true label; NaN if there "
    "are none",
    "validation_accuracy": "share (0 to 1) of a tenth of the training set, held out from the method but not from the "
    "network, that gets the label that was fitted; NaN for both networks, and at epochs that are read for "
    "decoding_dynamics alone",
    "clean_validation_accuracy": "share (0 to 1) of the same held-out examples that get their true label; NaN likewise",
    "num_features": "features that are read, of edited_network the inputs of its last layer; NaN for network",
    "num_fitted": "training examples that the method was fitted to; NaN for network",
    "least_components": "fewest directions of a class subspace; NaN for methods without subspaces",
    "most_components": "most directions of a class subspace; NaN for methods without subspaces",
}
CHOICE_MEANINGS = {
    "method": METHOD,
    "labels": LABELS,
    "validation_accuracy": "highest share (0 to 1), over the layers, of held-out training examples that get the label "
    "that was fitted",
    "layer": "layer of this highest validation_accuracy",
    "test_accuracy": "share (0 to 1) of the test examples that get their true label, read in that layer",
    "clean_layer": "layer of the highest share of held-out training examples that get their true label",
    "clean_test_accuracy": "share (0 to 1) of the test examples that get their true label, read in clean_layer",
    "oracle_layer": "layer of the highest test accuracy, chosen on the test set itself",
    "oracle_test_accuracy": "share (0 to 1) of the test examples that get their true label, read in oracle_layer",
}
# Of fitting all probes to one layer of a thousand examples.
PROBE_SECONDS = 0.15
# A product of an example's activation with one number of a direction.
PRODUCT_SECONDS = 1e-11
# Singular values of n examples x d features, divided by min(n, d)^2 max(n, d): the linear discriminant of wide layers.
SINGULAR_SECONDS = 3e-10
# Examples that are scored, at most, by two kinds of labels, and again by a fit without those held out.
MOST_SCORED, FITS, WITH_CONTROLS = 25_000, 2, 4


def _cost(work, settings):
    thorough = work.count(settings.decoding_epochs)
    probes = thorough * settings.probe_examples / 1000 + settings.decoding_dynamics / 4
    fits = thorough * WITH_CONTROLS + settings.decoding_dynamics * FITS
    directions = [min(work.num_examples, work.num_classes * width) for width in work.widths]
    products = sum(number * width for number, width in zip(directions, work.widths, strict=True))
    products *= fits * min(work.num_examples, MOST_SCORED)
    fitted = min(settings.probe_examples, work.num_examples)
    singular = thorough * FITS * sum(min(fitted, width) ** 2 * max(fitted, width) for width in work.widths)
    seconds = probes * (work.num_layers + 1) * PROBE_SECONDS + products * PRODUCT_SECONDS + singular * SINGULAR_SECONDS
    column = np.dtype(settings.decoding_dtype).itemsize * work.num_examples
    layer, layers = column * max(work.widths), column * sum(work.widths)
    size = work.network_bytes + 2 * layer + max(layer, min(HOST_BYTES, layers))
    return seconds, size


MEASUREMENT = Measurement(
    name="decoding",
    summary="How well layers can be read by subspaces and probes (Ketha and Ramaswamy 2025)",
    room=__name__,
    of_any_network=False,
    settings=DecodingSettings,
    tables={
        "decoding": Table(DECODING, text=frozenset({"layer", "method", "labels"}), meanings=MEANINGS),
        "decoding_choice": Table(
            DECODING_CHOICE,
            text=frozenset({"method", "labels", "layer", "clean_layer", "oracle_layer"}),
            meanings=CHOICE_MEANINGS,
        ),
    },
    check=_check,
    cost=_cost,
)
