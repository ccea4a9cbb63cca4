"""What the report says of networks of growing width."""

import numpy as np

from memorize_jax.figures.joint import is_bound
from memorize_jax.pages.section import Section
from memorize_jax.pages.views import Number, if_there, make_view

JOINT_CAPACITY = {"joint_capacity": Number("joint capacity", ".4f", bound="sign")}


def _double_descent(study):
    table = study.tables["double_descent"]
    rows = table.assign(sign=np.where(is_bound(table), "≤", "")).sort_values(["moment", "width"])
    note = "Joint capacity after ≤ is only an upper bound." if is_bound(table).any() else ""
    numbers = {
        "num_parameters": Number("parameters", "d"),
        "train_accuracy": Number("training", "percent"),
        "test_accuracy": Number("test", "percent"),
        **if_there(rows, JOINT_CAPACITY),
        "capacity": Number("mean-field capacity", ".4f"),
        "radius": Number("radius", ".3f"),
        "dimension": Number("dimension", ".2f"),
        "examples_per_class": Number("M, examples per class", "d"),
        "center_correlation": Number("center correlation", ".3f"),
    }
    others = {name: name.replace("_", " ") for name in study.axes if name != "width"}
    texts = others | {"moment": "epoch", "width": "width"}
    return make_view("double_descent", "By width", rows, texts, numbers, note=note, whole=table)


SECTION = Section(
    "Networks of growing width", {"double_descent": ((), _double_descent)}, of_sweeps=frozenset({"double_descent"})
)
