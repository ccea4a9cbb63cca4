"""The rows of one run of the moving picture, the mean over its seeds where there are several, and what errors are."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from memorize_jax.explorer.places import thinned
from memorize_jax.geometry.status import INVALID, UPPER_BOUND, describe
from memorize_jax.statistics import LEVEL, student_t_interval

# Points of a curve: a page has to carry them.
MOST_POINTS = 90
GROUPS = ("unpermuted", "permuted", "restored", "test")
# Name of a measure in the picture -> column of its value, columns of its standard errors.
MEASURES = {
    "joint": ("joint_capacity", ("joint_capacity_standard_error", "joint_capacity_example_sd")),
    "mean_field": ("capacity", ("capacity_standard_error", "capacity_example_sd")),
    "dimension": ("dimension", ("dimension_example_sd",)),
    "radius": ("radius", ("radius_example_sd",)),
    "correlation": ("center_correlation", ()),
}
ACCURACIES = ("train", "unpermuted", "permuted", "restored", "test")
REWOUND = ("restored", "test", "permuted")


def geometry_rows(rows: pd.DataFrame, num_seeds: int, *, in_units_of_bound: bool) -> pd.DataFrame:
    """Measures with errors by epoch, layer and group; capacities in units of 2/M if so said."""
    rows = rows[rows["group"].isin(GROUPS)]
    unit = rows["examples_per_class"] / 2 if in_units_of_bound else 1
    status, joint = (rows[name].fillna(0).astype(int) for name in ("status", "joint_status"))
    scaled = {"joint": unit, "mean_field": unit}
    hidden = {name: (joint if name == "joint" else status) & INVALID > 0 for name in MEASURES}
    values = {name: (rows[column] * scaled.get(name, 1)).mask(hidden[name]) for name, (column, _) in MEASURES.items()}
    errors = {
        f"{name}_error": (rows[list(columns)] ** 2).sum(axis=1, min_count=1) ** 0.5 * scaled.get(name, 1)
        for name, (_, columns) in MEASURES.items()
        if columns
    }
    is_bound = joint & UPPER_BOUND > 0
    notes = [describe(one) if one else "ok" for one in (status | joint)]
    by = ["epoch", "layer", "layer_number", "group"]
    about = rows.assign(K=rows["num_center_components"], status_text=notes, is_bound=is_bound).groupby(by, sort=False)
    said = about.agg(
        K=("K", _span), seeds=("seed", _listed), status=("status_text", _each), bound=("is_bound", "max")
    ).reset_index()
    shown = values | errors if num_seeds == 1 else values
    return _means(rows.assign(**shown), by, list(shown), num_seeds).merge(said, on=by)


def drift_rows(rows: pd.DataFrame, layers: Collection[str], num_seeds: int) -> pd.DataFrame:
    """Drift of permuted examples, by epoch and layer."""
    rows = rows[(rows["group"] == "permuted") & rows["drift"].notna() & rows["layer"].isin(layers)]
    found = _means(rows, ["epoch", "layer", "layer_number", "group"], ["drift"], num_seeds)
    return found[found["drift"].notna()].assign(seeds=_listed(rows["seed"]), status="ok")


def training_rows(rows: pd.DataFrame, num_seeds: int) -> pd.DataFrame:
    """Accuracies in percent by epoch, of at most so many epochs as a curve shows."""
    columns = {f"{group}_accuracy": group for group in ACCURACIES}
    percent = rows[["seed", "epoch"]].join(100 * rows[list(columns)].rename(columns=columns))
    means = _means(percent, ["epoch"], list(columns.values()), num_seeds)
    return means[means["epoch"].isin(thinned([int(epoch) for epoch in means["epoch"]], MOST_POINTS))]


def rewinding_rows(rows: pd.DataFrame, num_seeds: int) -> pd.DataFrame:
    """Accuracies in percent with one layer of the final network put back, by layer and the epoch it is put back to."""
    alone = (rows["into"] == "final") & (rows["num_layers"] == 1) & (rows["source"].fillna("self") == "self")
    columns = {f"{group}_accuracy": group for group in REWOUND}
    own = rows[alone].rename(columns={"rewind_epoch": "epoch"})
    percent = own[["seed", "epoch", "layer", "layer_number"]].join(100 * own[list(columns)].rename(columns=columns))
    return _means(percent, ["epoch", "layer", "layer_number"], list(columns.values()), num_seeds)


def errors_of(rows: pd.DataFrame, num_seeds: int) -> str:
    """What the errors of a run's geometry are, in a sentence.

    What is shown of one seed is of the first choice of examples, so its error is the standard deviation over choices
    itself.
    """
    if num_seeds > 1:
        return f"Errors are half the {LEVEL:.0%} interval over seeds; a mean is shown where every seed has a value."
    repeats = rows.groupby("group")["example_repeats"].max()
    once = [group for group in GROUPS if group in repeats and not repeats[group] > 1]
    if not (repeats > 1).any():
        return "Errors, which only capacities have, are one standard error of the random draws they are estimated from."
    alone = f"; for {' and '.join(once)} examples, chosen only once, that of the draws alone" if once else ""
    return (
        "Errors are one standard error: for capacities that of the random draws and of the choice of examples, for "
        f"radius and dimension that of the choice alone{alone}."
    )


def _means(rows: pd.DataFrame, by: Sequence[str], columns: Sequence[str], num_seeds: int) -> pd.DataFrame:
    """Means over seeds at the epochs that all of them have, with `_error` half the interval; a single seed as it is.

    Where a seed has no value there is no mean: that over the others would be one of seeds chosen by their values.
    """
    own = rows[[*by, *columns]]
    if num_seeds == 1:
        return own.reset_index(drop=True)
    shared = rows.groupby("epoch")["seed"].nunique()
    own = own[own["epoch"].isin(shared.index[shared == num_seeds])]
    found = []
    for key, values in own.groupby(list(by), sort=False, dropna=False):
        summary = student_t_interval(values[list(columns)].to_numpy(float), level=LEVEL)
        is_whole = summary.count == num_seeds
        means, halves = (np.where(is_whole, one, np.nan) for one in (summary.mean, summary.high - summary.mean))
        errors = {f"{name}_error": half for name, half in zip(columns, halves, strict=True)}
        found.append({**dict(zip(by, key, strict=True)), **dict(zip(columns, means, strict=True)), **errors})
    return pd.DataFrame(found, columns=[*by, *columns, *(f"{name}_error" for name in columns)])


def _span(values) -> str:
    found = sorted({int(value) for value in values if value == value})
    return "–" if not found else str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


def _listed(values) -> str:
    """Whole numbers as a text: "0 to 2" where none lies between them that is not among them, else "0, 5"."""
    found = sorted({int(value) for value in values})
    has_gaps = len(found) < 3 or found[-1] - found[0] >= len(found)
    return ", ".join(map(str, found)) if has_gaps else f"{found[0]} to {found[-1]}"


def _each(values) -> str:
    return "; ".join(dict.fromkeys(values))
