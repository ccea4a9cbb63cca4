"""What figures of the joint geometry have in common: which tables have it, and what is only a bound."""

import pandas as pd

from memorize_jax.geometry.status import BOUND
from memorize_jax.studies.study import Study

# Capacity -> what a figure calls it.
KINDS = {
    "joint_capacity": "joint: what a hyperplane separates",
    "capacity": "mean-field theory: each class turned its own way",
}
LABEL = "capacity α (classes per feature)"
# Measure of the geometry -> label of its axis.
LABELS = {
    "capacity": LABEL,
    "joint_capacity": LABEL,
    "radius": "radius $R$ (center distances)",
    "dimension": "dimension $D$ (directions)",
    "center_correlation": "center correlation ρ (0 to 1)",
}


def has_joint(table: pd.DataFrame) -> bool:
    """Whether the joint geometry was measured; tables of the first version have none."""
    return bool(table["joint_capacity"].notna().any())


def no_joint(study: Study) -> str:
    """Says that the joint geometry was not measured, and which command does; "" if it was."""
    if has_joint(study.tables["geometry"]):
        return ""
    return f"the table geometry has no joint geometry; measure it with: {study.command('geometry')}"


def is_bound(table: pd.DataFrame) -> pd.Series:
    """Whether the joint capacity of each row is only an upper bound."""
    return (table["joint_status"].fillna(0).astype(int) & BOUND) > 0


def bounds_remark(table: pd.DataFrame, look: str) -> str:
    """What a caption says of joint capacities that are only bounds, after `look`: "Hollow points are"."""
    names = table[is_bound(table)].sort_values("layer_number")["layer"].unique()
    known = f"{look} joint capacities known only as upper bounds ({', '.join(names)})"
    return f"{known}: the layer has too few dimensions for its points." if len(names) else ""
