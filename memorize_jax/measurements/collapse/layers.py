"""Drift and collapse of the layers of one network, group by group."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, Shaped

from memorize_jax.activations import HEAD_INPUT, Reader
from memorize_jax.measurements.collapse import BYTES_PER_MEAN
from memorize_jax.measurements.collapse.centroids import (
    Centroids,
    angle_deviation,
    duality_gap,
    norm_spread,
)
from memorize_jax.measurements.collapse.drift import about_center, drifts, nearest
from memorize_jax.measurements.collapse.labelings import TRAIN, Labelings
from memorize_jax.measurements.collapse.means import (
    AT_CENTER,
    NO_REFERENCE,
    NONE_WRONG,
    NOT_FINITE,
    ClassMeans,
    class_means,
)
from memorize_jax.measurements.collapse.passes import ClassSums, class_sums, layers_at_a_time, projections

NAN = float("nan")


class Examples(NamedTuple):
    """What is kept of some examples at one layer.

    Attributes:
      within: for each labeling the sum of ||T (x_i - mu_{y_i})||^2, see `centroids.within_axes`.
      agrees: 1 where the network's class is that of the nearest unpermuted centroid, else 0; NaN where either is not
        known.
      drifts: of those whose assigned class is not their true one.
    """

    within: Float[np.ndarray, " S"]
    agrees: Float[np.ndarray, " n"]
    drifts: Float[np.ndarray, " w"]


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
    kernel = _kernel(read, variables, image_sets[0], head)
    variables = jax.device_put(variables)
    bytes_per_feature = BYTES_PER_MEAN * num_classes * (len(labelings.labels) + 1)
    for names in layers_at_a_time(read, variables, image_sets[0], layers, bytes_per_feature):
        shown = (*names, HEAD_INPUT) if head in names and kernel is not None else names
        sums = class_sums(read, variables, image_sets, labelings.labels, num_classes, shown)
        means = {name: _means(own, labelings) for name, own in sums.items()}
        references = {name: _reference(means[name], labelings) for name in names}
        axes = {name: _axes(means[name], references[name], sums[name].sums[0].shape) for name in names}
        origins = {name: sums[name].origin for name in names}
        parts = {name: [] for name in names}
        for places, products, answers in projections(read, variables, image_sets, origins, axes, head):
            for name in names:
                found = _of_batch(means[name], references[name], labelings, places, products[name], answers)
                parts[name].append(found)
        for name in names:
            within, agrees, drifted = zip(*parts[name], strict=True)
            examples = Examples(np.sum(within, axis=0), np.concatenate(agrees), np.concatenate(drifted))
            for group, labeling in labelings.groups.items():
                row = _row(group, means[name], references[name], labelings, examples)
                is_last = name == head and kernel is not None
                row["nc3"] = _gap(kernel, means[HEAD_INPUT][labeling.own]) if is_last else NAN
                yield {"layer": name, "group": group, "num_classes": num_classes, **row}


def _kernel(read, variables, images, head):
    """What the last layer multiplies its input by; None for a network whose reader shows no such input."""
    sample = jax.ShapeDtypeStruct((1, *images.shape[1:]), images.dtype)
    if HEAD_INPUT not in jax.eval_shape(read, variables, sample):
        return None
    return np.asarray(variables["params"][head]["kernel"])


def _means(found: ClassSums, labelings: Labelings) -> list[ClassMeans]:
    """The centroids of every labeling."""
    num_classes, total = found.sums.shape[1], len(labelings.true)
    counts = [np.bincount(own[own >= 0], minlength=num_classes) for own in labelings.labels]
    # A run that was watched may have no test set.
    parts = [labelings.groups[name] for name in (TRAIN, "test") if name in labelings.groups]
    mean = np.sum([found.sums[part.true].sum(axis=0) for part in parts], axis=0) / total
    size = found.squares / total - float(mean @ mean)
    return [class_means(own, count, size) for own, count in zip(found.sums, counts, strict=True)]


def _reference(means: list[ClassMeans], labelings: Labelings) -> Centroids | None:
    """The centroids of unpermuted examples, which drift and nearest class are measured by; None where they are none."""
    labeling = labelings.groups.get("unpermuted")
    own = None if labeling is None else means[labeling.own]
    return own.centroids if own is not None and own.is_apart else None


def _axes(means: list[ClassMeans], reference: Centroids | None, shape: tuple) -> Float[np.ndarray, "K d"]:
    """Axes of every labeling and behind them the offsets of the reference; zeros for those there are not."""
    zeros = np.zeros(shape)
    within = [zeros if own.within is None else own.within.axes for own in means]
    return np.concatenate([*within, zeros if reference is None else reference.offsets]).astype(np.float32)


def _of_batch(
    means: list[ClassMeans],
    reference: Centroids | None,
    labelings: Labelings,
    places: slice,
    products: Float[np.ndarray, "b K"],
    answers: Int[np.ndarray, " b"],
) -> Examples:
    """What is kept of a batch, by the products of its points with `_axes`."""
    *projected, along = np.split(products, len(means) + 1, axis=1)
    within = np.zeros(len(means))
    for number, (own, found) in enumerate(zip(means, projected, strict=True)):
        labels = labelings.labels[number, places]
        there = labels >= 0
        if own.within is not None:
            within[number] = ((found[there] - own.within.places[labels[there]]) ** 2).sum()
    wrong = labelings.wrong[slice(*np.searchsorted(labelings.wrong, [places.start, places.stop]))]
    if reference is None:
        return Examples(within, np.full(len(answers), NAN), np.full(len(wrong), NAN))
    along = about_center(reference, along)
    agrees = np.where(answers < 0, NAN, nearest(reference, along) == answers)
    drifted = drifts(reference, along[wrong - places.start], labelings.true[wrong], labelings.assigned[wrong])
    return Examples(within, agrees, drifted)


def _row(
    group: str, means: list[ClassMeans], reference: Centroids | None, labelings: Labelings, examples: Examples
) -> dict:
    """The numbers of a group at a layer."""
    labeling = labelings.groups[group]
    own, both = means[labeling.own], {"true": means[labeling.true], "assigned": means[labeling.assigned]}
    members = labelings.labels[labeling.own] >= 0
    agrees = float(examples.agrees[members].mean())
    status = own.status | both["true"].status | both["assigned"].status
    if reference is None:
        status |= NO_REFERENCE
    elif np.isnan(agrees):
        status |= NOT_FINITE
    # Of the examples that have drifted at all: permuted and restored ones are the same.
    drifted = examples.drifts if group == "permuted" else np.empty(0)
    if group == "permuted" and not len(drifted):
        status |= NONE_WRONG
    row = {"drift": NAN, "drift_sd": NAN, "drift_share": NAN}
    if len(drifted) and reference is not None:
        share = float(np.mean(drifted > 0.5)) if np.isfinite(drifted).all() else NAN
        row = {"drift": float(drifted.mean()), "drift_sd": float(drifted.std()), "drift_share": share}
    for name, found in both.items():
        number = getattr(labeling, name)
        row[f"nc1_{name}"] = NAN if found.within is None else float(examples.within[number] / members.sum())
        row[f"rank_{name}"] = 0 if found.within is None else found.within.rank
    centroids = None if own.within is None else own.centroids
    if centroids is not None and not own.is_spread:
        status |= AT_CENTER
    row["nc2_norm"] = NAN if centroids is None else norm_spread(centroids)
    row["nc2_angle"] = NAN if centroids is None or not own.is_spread else angle_deviation(centroids)
    counts = {"num_drifting": len(drifted), "num_examples": int(members.sum()), "status": status}
    return {**row, "nc4": agrees, **counts}


def _gap(kernel, means):
    return duality_gap(kernel, means.centroids) if means.within is not None and kernel.any() else NAN
