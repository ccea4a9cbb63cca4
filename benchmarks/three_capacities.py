"""Where mean-field, joint and simulated capacity agree in the committed studies, and where they part."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmarks import tables
from benchmarks.comparison import NONE, Judged
from memorize_jax.activations import INPUT
from memorize_jax.studies.study import Study

PLACES = (INPUT, "first third", "middle", "last third")


def place_of(layer: str, hidden: Sequence[str]) -> str | None:
    """The input, or the third of the hidden layers that a layer lies in, at least one each; None for the output."""
    if layer == INPUT:
        return INPUT
    if layer not in hidden:
        return None
    third, number = max(1, len(hidden) // 3), list(hidden).index(layer)
    return "first third" if number < third else "last third" if number >= len(hidden) - third else "middle"


def differences(study: Study) -> pd.DataFrame:
    """Relative differences of mean-field from joint, and of joint from simulated capacity, at the best and final epoch.

    Without layers whose joint capacity is only a bound, and simulations that found none.

    Returns:
      a row for every place: place, classes, fewest_joint_classes, most_joint_classes, mean_field_median,
      mean_field_largest, simulated_classes, simulated_median, simulated_largest; NaN where there is nothing.
    """
    rows, hidden = [], [name for name in study.layers[:-1] if name != INPUT]
    geometry = pd.concat([study.at_stage("geometry", stage) for stage in ("best", "final")])
    geometry = geometry[(geometry["joint_status"] == 0) & (geometry["status"] == 0)]
    check = study.tables.get("capacity_check")
    if check is not None and "joint_capacity" in check:
        check = check[(check["bound"] == 0) & (check["joint_status"] == 0)]
    else:
        check = geometry.iloc[:0].assign(simulated_capacity=[])
    for place in PLACES:
        here = lambda part: part[part["layer"].map(lambda layer: place_of(layer, hidden)) == place]
        own, simulated = here(geometry), here(check)
        theory = (own["capacity"] / own["joint_capacity"] - 1).abs()
        found = (simulated["joint_capacity"] / simulated["simulated_capacity"] - 1).abs()
        joint_classes = own["joint_classes"]
        row = {"place": place, "classes": own["num_classes"].max(), "mean_field_median": theory.median()}
        row |= {"fewest_joint_classes": joint_classes.min(), "most_joint_classes": joint_classes.max()}
        row |= {"mean_field_largest": theory.max(), "simulated_classes": simulated["num_classes"].max()}
        rows.append(row | {"simulated_median": found.median(), "simulated_largest": found.max()})
    return pd.DataFrame(rows)


def table(studies: Sequence[Judged]) -> str:
    """`differences` of every study of one network with joint capacity, in %, as Markdown."""
    header = (
        "study",
        "layers",
        "classes",
        "of which joint",
        "mean-field from joint, %: median, largest",
        "classes simulated",
        "joint from simulated, %: median, largest",
    )
    rows = []
    for name, study, _ in studies:
        if study.axes or "joint_capacity" not in study.tables.get("geometry", ()):
            continue
        # Nothing is left of tables of the first version, which have no joint capacity.
        for own in differences(study).dropna(subset=["mean_field_median"]).itertuples():
            pairs = [(own.mean_field_median, own.mean_field_largest), (own.simulated_median, own.simulated_largest)]
            shown = [NONE if np.isnan(pair[0]) else f"{100 * pair[0]:.1f}, {100 * pair[1]:.1f}" for pair in pairs]
            counts = [NONE if np.isnan(count) else f"{count:.0f}" for count in (own.classes, own.simulated_classes)]
            ends = dict.fromkeys(f"{end:.0f}" for end in (own.fewest_joint_classes, own.most_joint_classes))
            rows.append((f"[{name}](#{name})", own.place, counts[0], " to ".join(ends), shown[0], counts[1], shown[1]))
    return tables.of_rows(header, rows)
