"""Drift and collapse of the layers of one network, group by group."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Shaped

from memorize_jax.activations import HEAD_INPUT, Reader
from memorize_jax.measurements.collapse.centroids import (
    NEAR,
    Centroids,
    WithinAxes,
    angle_deviation,
    closest_pair,
    duality_gap,
    find_centroids,
    norm_spread,
    within_axes,
)
from memorize_jax.measurements.collapse.drift import drifts, nearest, products_with
from memorize_jax.measurements.collapse.labelings import Labelings
from memorize_jax.measurements.collapse.passes import ClassSums, class_sums, layers_at_a_time, projections

# Bit flags: why numbers of a row are missing.
NOT_FINITE, EMPTY_CLASS, COINCIDE, NO_REFERENCE, NONE_WRONG = 1, 2, 4, 8, 16
MESSAGES = {
    NOT_FINITE: "activations contain NaN or infinite values",
    EMPTY_CLASS: "a class has no examples in the group",
    COINCIDE: "centroids of classes coincide",
    NO_REFERENCE: "a class has no unpermuted training examples, or their centroids coincide, so there is no drift",
    NONE_WRONG: "every permuted example was given its own label back",
}
NAN = float("nan")


class ClassMeans(NamedTuple):
    """Centroids of one labeling at one layer, and what can be measured by them.

    Attributes:
      centroids: None where a class is empty or a value is not finite.
      within: None where the centroids coincide too.
      spread: whether each of them differs from their center.
      apart: whether each of them differs from every other.
      status: of the flags above.
    """

    centroids: Centroids | None
    within: WithinAxes | None
    spread: bool
    apart: bool
    status: int


def class_means(sums: Float[np.ndarray, "C d"], counts: Float[np.ndarray, " C"], size: float) -> ClassMeans:
    """Finds the centroids of classes from their sums.

    Args:
      counts: examples of each class.
      size: mean square of the points of the layer about their mean.
    """
    if not (np.isfinite(sums).all() and np.isfinite(size)):
        return ClassMeans(None, None, False, False, NOT_FINITE)
    if not counts.all():
        return ClassMeans(None, None, False, False, EMPTY_CLASS)
    centroids = find_centroids(sums / counts[:, None])
    squares = np.diag(centroids.gram)
    differ = squares.max() > NEAR * size
    apart = closest_pair(centroids) > NEAR * size
    within = within_axes(centroids) if differ else None
    return ClassMeans(centroids, within, bool(squares.min() > NEAR * size), apart, 0 if differ else COINCIDE)


def layer_rows(
    read: Reader,
    variables: dict,
    image_sets: Sequence[Shaped[np.ndarray, "_ ..."]],
    labelings: Labelings,
    layers: Sequence[str],
    num_classes: int,
) -> Iterator[dict]:
    """Measures every layer and group of one network: columns of the table but for seed, epoch and layer_number.

    Args:
      read: of `activations.head_reader`.
      variables: params and batch_stats.
      image_sets: training and test images.
      labelings: of `label_groups`, for these images.
      layers: names in order; the last is the one that gives the answer.
      num_classes: C.
    """
    head = layers[-1]
    kernel = np.asarray(variables["params"][head]["kernel"])
    variables = jax.device_put(variables)
    # Sums in float64, of a batch in float32, axes on the host and on the device.
    per_feature = 32 * num_classes * (len(labelings.labels) + 1)
    for names in layers_at_a_time(read, variables, image_sets[0], layers, per_feature):
        shown = (*names, HEAD_INPUT) if head in names else names
        sums = class_sums(read, variables, image_sets, labelings.labels, num_classes, shown)
        means = {name: _means_of(own, labelings, num_classes) for name, own in sums.items()}
        measured = {name: _Measured(means[name], labelings, num_classes) for name in names}
        axes = {name: own.axes(sums[name].sums.shape[-1]) for name, own in measured.items()}
        origins = {name: sums[name].origin for name in names}
        for places, products, answers in projections(read, variables, image_sets, origins, axes, head):
            for name, own in measured.items():
                own.add(places, products[name], answers)
        for name, own in measured.items():
            last = means[HEAD_INPUT] if name == head else None
            for group in labelings.groups:
                row = own.row(group)
                gap = NAN if last is None else _gap(kernel, last[labelings.groups[group].own])
                yield {"layer": name, "group": group, **row, "nc3": gap}


def _gap(kernel, means):
    return duality_gap(kernel, means.centroids) if means.within is not None and kernel.any() else NAN


def _means_of(found: ClassSums, labelings: Labelings, num_classes: int) -> list[ClassMeans]:
    counts = [np.bincount(own[own >= 0], minlength=num_classes) for own in labelings.labels]
    train, test = (labelings.groups[name].true for name in ("train", "test"))
    total = len(labelings.true)
    mean = (found.sums[train] + found.sums[test]).sum(axis=0) / total
    size = found.squares / total - mean @ mean
    return [class_means(own, count, size) for own, count in zip(found.sums, counts, strict=True)]


class _Measured:
    """What the second pass adds up for one layer."""

    def __init__(self, means: list[ClassMeans], labelings: Labelings, num_classes: int):
        self._means, self._labelings, self._num_classes = means, labelings, num_classes
        of_unpermuted = labelings.groups.get("unpermuted")
        reference = None if of_unpermuted is None else means[of_unpermuted.own]
        self._reference = reference.centroids if reference is not None and reference.apart else None
        self._within = np.zeros(len(means))
        self._drifts = np.full(len(labelings.wrong), NAN)
        self._agree = np.zeros(len(labelings.true), bool)

    def axes(self, num_features: int) -> Float[np.ndarray, "K d"]:
        """Those of every labeling, and behind them the offsets of the unpermuted centroids; zeros where none are."""
        zeros = np.zeros((self._num_classes, num_features))
        within = [zeros if own.within is None else own.within.axes for own in self._means]
        reference = zeros if self._reference is None else self._reference.offsets
        return np.concatenate([*within, reference]).astype(np.float32)

    def add(self, places: slice, products: Float[np.ndarray, "b K"], answers: np.ndarray) -> None:
        """Adds a batch of examples, by the products of their points with the axes."""
        *within, along = np.split(products, len(self._means) + 1, axis=1)
        for number, (own, found) in enumerate(zip(self._means, within, strict=True)):
            labels = self._labelings.labels[number, places]
            there = labels >= 0
            if own.within is not None:
                self._within[number] += ((found[there] - own.within.places[labels[there]]) ** 2).sum()
        if self._reference is None:
            return
        about = products_with(self._reference, along)
        self._agree[places] = nearest(self._reference, about) == answers
        low, high = np.searchsorted(self._labelings.wrong, [places.start, places.stop])
        wrong = self._labelings.wrong[low:high]
        labels = self._labelings.true[wrong], self._labelings.assigned[wrong]
        self._drifts[low:high] = drifts(self._reference, about[wrong - places.start], *labels)

    def row(self, group: str) -> dict:
        """The numbers of a group."""
        labeling = self._labelings.groups[group]
        members = self._labelings.labels[labeling.own] >= 0
        own = self._means[labeling.own]
        both = {"true": labeling.true, "assigned": labeling.assigned}
        status = own.status | self._means[labeling.true].status | self._means[labeling.assigned].status
        finite = own.status != NOT_FINITE
        row = {"drift": NAN, "drift_sd": NAN, "drift_share": NAN, "num_drifting": 0}
        if group == "permuted":
            row |= {"num_drifting": len(self._drifts)}
            status |= 0 if len(self._drifts) else NONE_WRONG
        if finite and self._reference is None:
            status |= NO_REFERENCE
        if group == "permuted" and len(self._drifts) and self._reference is not None:
            row |= {"drift": self._drifts.mean(), "drift_sd": self._drifts.std()}
            row |= {"drift_share": np.mean(self._drifts > 0.5)}
        for name, number in both.items():
            within = self._means[number].within
            row[f"nc1_{name}"] = NAN if within is None else self._within[number] / members.sum()
            row[f"rank_{name}"] = 0 if within is None else within.rank
        usable = own.centroids is not None and own.spread
        row["nc2_norm"] = norm_spread(own.centroids) if usable else NAN
        row["nc2_angle"] = angle_deviation(own.centroids) if usable else NAN
        row["nc4"] = NAN if self._reference is None else self._agree[members].mean()
        numbers = {name: float(value) if name[:4] != "num_" else value for name, value in row.items()}
        return {**numbers, "num_examples": int(members.sum()), "num_classes": self._num_classes, "status": status}
