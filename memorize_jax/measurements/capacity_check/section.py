"""What the report says of simulated capacity."""

import numpy as np

from memorize_jax.figures.joint import is_bound
from memorize_jax.pages.section import Section
from memorize_jax.pages.views import Number, if_there, make_view

# What the column bound says of the simulated capacity -> the sign before it.
SIGNS = {0: "", -1: "≤", 1: "≥"}
JOINT_CHECK = {
    "joint_capacity": Number("joint", ".4f", bound="joint_sign"),
    "joint_standard_error": Number("± standard error", ".4f"),
    "joint_classes": Number("classes of a draw", "d"),
}


def _capacity_check(study):
    table = study.tables["capacity_check"]
    numbers = {
        **if_there(table, JOINT_CHECK),
        "mean_field_capacity": Number("mean-field", ".4f"),
        "mean_field_standard_error": Number("± standard error", ".4f"),
        "simulated_capacity": Number("simulated", ".4f", bound="sign"),
        "simulated_standard_error": Number("± standard error", ".4f"),
    }
    rows = table.sort_values(["epoch", "group", "layer_number"])
    rows = rows.assign(sign=rows["bound"].map(SIGNS), joint_sign=np.where(is_bound(rows), "≤", ""))
    texts = {"epoch": "epoch", "group": "group", "layer": "layer"}
    note = (
        "Simulated after ≤: all dimensions of the points together separate less than half of the labelings, so the "
        "capacity is below; after ≥: a single feature separates half, so it is above. Joint after ≤ is only an upper "
        "bound."
    )
    return make_view("capacity_check", "Capacity by theory and by simulation", rows, texts, numbers, note=note)


SECTION = Section("", {"capacity_check": ((), _capacity_check)})
