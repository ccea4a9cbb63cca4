"""The fields of an analysis as arrays with names and dimensions, and back."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from memorize_jax.geometry import JointGeometry, LayerParticipation, ManifoldGeometry
from memorize_jax.geometry.participation import ParticipationRatio
from memorize_jax.geometry.result import NAMES
from memorize_jax.own_activations.repeat_records import arrays_of_repeats, padded_rows, repeats_of

# Of what is written; a reader of an older version refuses a newer one.
VERSION = 1
# Name -> (dimensions, values).
Arrays = dict[str, tuple[tuple[str, ...], np.ndarray]]
BY_LAYER, BY_CLASS = ("layer",), ("layer", "label")
GEOMETRIES = {"geometry": ("", ManifoldGeometry), "joint": ("joint_", JointGeometry)}
# What participation ratios are called, of all points and of each class.
RATIOS = {
    "plain": "participation_ratio",
    "corrected": "participation_ratio_corrected",
    "status": "participation_status",
}
PARTICIPATIONS = {"together": ("", BY_LAYER), "by_class": ("class_", BY_CLASS)}


def arrays_of(fields: Mapping[str, Any]) -> Arrays:
    """All numbers of an analysis, and the rows of each class, -1 where a class has fewer than another."""
    found: Arrays = {}
    for field, (prefix, _) in GEOMETRIES.items():
        if (part := fields[field]) is None:
            continue
        for name in _leaves(type(part)):
            dimensions = BY_CLASS if name in part.PER_MANIFOLD else BY_LAYER
            found[prefix + name] = (dimensions, np.asarray(getattr(part, name)))
    for field, (prefix, dimensions) in PARTICIPATIONS.items():
        for name, called in RATIOS.items():
            found[prefix + called] = (dimensions, np.asarray(getattr(getattr(fields["participation"], field), name)))
    found["rows"] = (("label", "example"), padded_rows(fields["indices"]))
    return found | arrays_of_repeats(fields["repeats"])


def summaries_of(fields: Mapping[str, Any]) -> Arrays:
    """The numbers of each layer over its classes: "layer_capacity" and the like."""
    summary = fields["geometry"].summary()
    return {
        f"layer_{name}": (BY_LAYER, np.asarray(values))
        for name, values in summary.items()
        if name.split("_")[0] != "center"
    }


def described(fields: Mapping[str, Any]) -> dict[str, Any]:
    """All that is no array, as JSON can hold it."""
    plain = {name: fields[name] for name in ("seed", "kappa", "taken")}
    named = {name: dict(fields[name]) for name in ("options", "versions")}
    labels = {"layers": list(fields["layers"]), "labels": list(fields["indices"])}
    return json.loads(json.dumps({"version": VERSION, **plain, **named, **labels}, default=_named))


def _named(value):
    """What JSON has no word for."""
    return f"{type(value).__name__} {list(np.shape(value))}" if hasattr(value, "shape") else str(value)


def restored(arrays: Arrays, about: Mapping[str, Any], path: pathlib.Path) -> dict[str, Any]:
    """The fields of an analysis; ValueError for what a later version has written, or if anything is missing."""
    if about.get("version") != VERSION:
        found = about.get("version")
        raise ValueError(
            f"{path}: expected an analysis of version {VERSION}, got {found}; a later memorize_jax reads it"
        )
    about = dict(about)
    layers, labels = tuple(about.pop("layers")), about.pop("labels")
    del about["version"]
    named = {"layers": layers, "classes": tuple(labels)}
    values = {name: _leaf(own) for name, (_, own) in arrays.items()}
    for prefix, _ in GEOMETRIES.values():
        # Written before programs could be solved on the host.
        values.setdefault(f"{prefix}on_host", jnp.zeros(len(layers), bool))
    fields: dict[str, Any] = {"layers": layers, **about}
    for field, (prefix, kind) in GEOMETRIES.items():
        is_there = f"{prefix}num_draws" in values
        leaves = {name: values[prefix + name] for name in _leaves(kind)} if is_there else {}
        fields[field] = kind(**leaves, **named) if is_there else None
    ratios = {
        field: ParticipationRatio(**{name: values[prefix + called] for name, called in RATIOS.items()})
        for field, (prefix, _) in PARTICIPATIONS.items()
    }
    rows = arrays["rows"][1]
    indices = {label: own[own >= 0] for label, own in zip(labels, rows, strict=True)}
    fields |= {"participation": LayerParticipation(**ratios), "indices": indices}
    return fields | {"repeats": repeats_of(arrays, labels)}


def _leaves(kind):
    return [field.name for field in dataclasses.fields(kind) if field.name not in NAMES]


def _leaf(values) -> Any:
    """As measured: an array of jax, unless it has a precision that jax was not started with."""
    leaf = jnp.asarray(values)
    return leaf if leaf.dtype == values.dtype else values
