"""What figures of the joint geometry have in common: which tables have it, and what is only a bound."""

from collections.abc import Mapping, Sequence

import pandas as pd

from memorize_jax.figures.style import groups_in
from memorize_jax.geometry.status import UPPER_BOUND
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
    return (table["joint_status"].fillna(0).astype(int) & UPPER_BOUND) > 0


def any_bound(table: pd.DataFrame, by: Sequence[str]) -> pd.Series:
    """Whether, for each row, any seed's joint capacity is only an upper bound among the rows that agree in `by`.

    A mean over the other seeds would be one of seeds chosen by their capacity.
    """
    return is_bound(table).groupby([table[name] for name in by]).transform("any")


def bounds_remark(table: pd.DataFrame, look: str) -> str:
    """What a caption says of joint capacities that are only bounds, after `look`: "Some are"."""
    names = table[is_bound(table)].sort_values("layer_number")["layer"].unique()
    return _said(look, ", ".join(names))


def bounds_of_groups(rows: Mapping[str, pd.DataFrame], look: str) -> str:
    """The same of a figure that shows every group at every layer, and so says of which, and in how many of the seeds.

    Args:
      rows: what is drawn, by the words for it, as "at the best epoch"; these are left out where all are alike.
    """
    found = {words: _places(table) for words, table in rows.items()}
    if len(set(found.values())) == 1:
        return _said(look, next(iter(found.values())))
    return _said(look, "; ".join(f"{words} {places}" for words, places in found.items() if places))


def _places(table):
    """Where joint capacities are bounds: "linear5; linear6 of restored, of test in 1 of 10 seeds"."""
    bounds, places = table.assign(bound=is_bound(table)), []
    for layer, own in bounds.sort_values("layer_number").groupby("layer", sort=False):
        seeds = own.groupby(["group", "seed"])["bound"].any().groupby("group").agg(["sum", "count"])
        if (seeds["sum"] == seeds["count"]).all():
            places.append(layer)
        elif seeds["sum"].any():
            there = seeds.loc[[group for group in groups_in(own["group"]) if seeds["sum"][group]]]
            places.append(f"{layer} {', '.join(_of_group(*about) for about in there.itertuples())}")
    return "; ".join(places)


def _of_group(group, bounds, seeds):
    return f"of {group}" + (f" in {bounds} of {seeds} seeds" if bounds < seeds else "")


def _said(look, places):
    known = f"{look} joint capacities known only as upper bounds ({places})"
    return f"{known}: the layer has too few dimensions for its points." if places else ""
