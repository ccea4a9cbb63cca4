"""What the report says of the geometry."""

import numpy as np
import pandas as pd

from memorize_jax.epochs import at_stages_or_epochs
from memorize_jax.figures.bound import dimension_remark
from memorize_jax.figures.joint import has_joint, is_bound
from memorize_jax.geometry.status import MESSAGES
from memorize_jax.measurements.geometry.shares import NEEDS, summary
from memorize_jax.pages.section import Section
from memorize_jax.pages.views import Flags, Number, View, if_there, make_view, plain_view
from memorize_jax.studies.study import Study

# Columns that tables may lack.
JOINT = {
    "joint_capacity": Number("joint capacity", ".4f", bound="sign"),
    "joint_capacity_standard_error": Number("± error", ".4f"),
    "joint_capacity_example_sd": Number("± over examples", ".4f"),
}
SPREAD = {"capacity_example_sd": Number("± over examples", ".4f")}


def _at_stages(study: Study) -> pd.DataFrame:
    """The rows at the best and the final epoch, which every run of a sweep has its own."""
    geometry, metrics = study.tables["geometry"], study.tables["metrics"]
    if not study.axes:
        return at_stages_or_epochs(geometry, {seed: study.metrics_of(seed) for seed in study.seeds})
    of_run = {run: dict(list(own.groupby("seed"))) for run, own in metrics.groupby("run")}
    return pd.concat([at_stages_or_epochs(own, of_run[run]) for run, own in geometry.groupby("run", sort=False)])


def _of_axes(study: Study) -> dict[str, str]:
    return {name: name.replace("_", " ") for name in study.axes}


def _geometry(study):
    geometry = study.tables["geometry"]
    rows = _at_stages(study).sort_values([*study.axes, "stage", "group", "layer_number"])
    numbers = {
        **if_there(geometry, JOINT),
        "capacity": Number("mean-field capacity", ".4f"),
        "capacity_standard_error": Number("± error", ".4f"),
        **if_there(geometry, SPREAD),
        "radius": Number("radius", ".3f"),
        "dimension": Number("dimension", ".2f"),
        "center_correlation": Number("center correlation", ".3f"),
        "num_center_components": Number("K", "d"),
        "status": Flags("status"),
    }
    texts = _of_axes(study) | {"stage": "epoch", "group": "group", "layer": "layer"}
    rows = rows.assign(sign=np.where(is_bound(rows), "≤", ""))
    notes = _flags_said(rows, texts)
    examples = " or ".join(map(str, sorted(rows["examples_per_class"].unique())))
    notes.append(f"{examples} examples of each class. K: shared directions of the centers that were removed.")
    notes.append(
        "Participation ratios are in the file and in a figure, the two-neighbor dimension, if measured, in the file."
    )
    note = " ".join([*notes, dimension_remark(rows)])
    return make_view("geometry", "Geometry", rows, texts, numbers, note=note, whole=geometry)


def _flags_said(rows, texts):
    """How many rows of the page carry flags, and what these mean."""
    row_of, some = [rows[name] for name in texts], " in at least one seed" if rows["seed"].nunique() > 1 else ""
    count = lambda are: int(are.groupby(row_of, dropna=False).any().sum())
    status, notes = rows["status"].fillna(0).astype(int), []
    if flagged := count(status != 0):
        notes.append(f"{flagged} rows carry a status other than 0{some}; see the last column.")
        notes += [f"{flag}: {text}." for flag, text in MESSAGES.items() if (status & flag > 0).any()]
    if has_joint(rows):
        notes.append(f"In {count(is_bound(rows))} rows, after ≤, the joint capacity is only an upper bound{some}.")
    return notes


def _shares(study: Study) -> View | None:
    """Where the runs of a sweep memorize; None for one run, where no run tells, or where they cannot be compared."""
    if study.not_comparable("geometry", study.tables["geometry"].get("run", ())):
        return None
    table = summary(study) if study.axes and study.layers else pd.DataFrame()
    return None if table.empty else plain_view("memorization_by_layer", table)


SECTION = Section(
    "Geometry of the class manifolds, layer by layer",
    {"geometry": (("metrics",), _geometry), "memorization_by_layer": (NEEDS, _shares)},
    of_sweeps=frozenset({"geometry", "memorization_by_layer"}),
)
