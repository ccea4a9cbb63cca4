"""What the moving picture is drawn from: the tables of a study, by run, layer, epoch and group."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from memorize_jax.explorer.places import thinned, with_cells
from memorize_jax.figures.bound import lower_bound
from memorize_jax.geometry.status import INVALID, UPPER_BOUND, describe
from memorize_jax.statistics import LEVEL, student_t_interval
from memorize_jax.studies.study import Study

# Cells of all maps, and points of a curve: a page has to carry them.
MOST_CELLS, MOST_POINTS, FEWEST_EPOCHS = 16_000, 90, 6
GROUPS = ("unpermuted", "permuted", "restored", "test")
# Name of a measure in the picture -> column of its value, columns of its standard errors.
MEASURES = {
    "joint": ("joint_capacity", ("joint_capacity_standard_error", "joint_capacity_example_sd")),
    "mean_field": ("capacity", ("capacity_standard_error", "capacity_example_sd")),
    "dimension": ("dimension", ("dimension_example_sd",)),
    "radius": ("radius", ("radius_example_sd",)),
    "correlation": ("center_correlation", ()),
}
TITLES = {
    "dimension": "dimension",
    "radius": "radius",
    "correlation": "center correlation",
    "drift": "drift from true class (0) to assigned class (1)",
}
ACCURACIES = ("train", "unpermuted", "permuted", "restored", "test")
REWOUND = ("restored", "test", "permuted")


@dataclasses.dataclass(frozen=True)
class Explored:
    """What the moving picture shows.

    Attributes:
      runs: names; the first is shown first.
      layers: in order.
      epochs: run -> epochs of its geometry, which a slider goes through.
      measures: name -> title, of those that were measured.
      places: a row for every run, epoch, layer and group: measures with errors, and the cell (`with_cells`).
      training: a row for every run and epoch: accuracies in percent, and the cell.
      rewinding: a row for every run, layer and epoch: accuracies in percent with the layer put back, and the cell.
      errors: what an error is.
    """

    runs: tuple[str, ...]
    layers: tuple[str, ...]
    epochs: dict[str, list[int]]
    measures: dict[str, str]
    places: pd.DataFrame
    training: pd.DataFrame
    rewinding: pd.DataFrame
    errors: str


def explored(study: Study) -> Explored | None:
    """Gathers what the moving picture shows; None where a study has no geometry, or layers that differ between runs."""
    if "geometry" not in study.tables or not study.layers:
        return None
    # The output has as many features as classes, whatever the network does: beside it no other layer shows.
    hidden = {*study.layers[:-1], "input"} if len(study.layers) > 1 else set(study.layers)
    geometry = study.tables["geometry"]
    geometry = geometry[geometry["layer"].isin(hidden)]
    if geometry.empty:
        return None
    names = geometry.drop_duplicates("layer_number").sort_values("layer_number")["layer"]
    members = _members(study)
    parts = {"places": [], "drift": [], "training": [], "rewinding": []}
    for name, keys in members.items():
        of_run = lambda table, keys=keys: table[_keys(study, table).isin(keys)]
        parts["places"].append(_geometry(of_run(geometry)).assign(run=name))
        if "collapse" in study.tables:
            parts["drift"].append(_drift(of_run(study.tables["collapse"]), hidden).assign(run=name))
        parts["training"].append(_training(of_run(study.tables["metrics"])).assign(run=name))
        if "rewinding" in study.tables:
            parts["rewinding"].append(_rewinding(of_run(study.tables["rewinding"])).assign(run=name))
    found = {name: pd.concat(own, ignore_index=True) if own else pd.DataFrame() for name, own in parts.items()}
    found = {name: _few(rows, len(names) * len(GROUPS)) for name, rows in found.items()}
    steps = {run: sorted({int(one) for one in rows["epoch"]}) for run, rows in found["places"].groupby("run")}
    cells = {name: _cells(rows, steps) for name, rows in found.items()}
    places = pd.concat([cells["places"], cells["drift"]], ignore_index=True)
    unit = "capacity" if lower_bound(geometry) is None else "capacity, in units of 2/M"
    titles = {"joint": f"joint {unit}", "mean_field": f"mean-field {unit}", **TITLES}
    measures = {name: title for name, title in titles.items() if name in places and places[name].notna().any()}
    alone = "one standard error of draws and examples"
    return Explored(
        tuple(members),
        tuple(names),
        {run: steps[run] for run in members},
        measures,
        places,
        cells["training"],
        cells["rewinding"],
        f"half the {LEVEL:.0%} interval over seeds" if len(study.seeds) > 1 else alone,
    )


def _members(study: Study) -> dict[str, list[tuple[str, int]]]:
    """Name of what is shown as a run -> (run, seed) of which it is the mean."""
    if study.axes:
        metrics = study.tables["metrics"]
        # Those without permuted examples, in which nothing is memorized, at the end.
        order = [metrics["permuted_fraction"] == 0, *(metrics[axis] for axis in study.axes)]
        runs = metrics.assign(**{f"order{index}": key for index, key in enumerate(order)})
        runs = runs.sort_values([f"order{index}" for index in range(len(order))]).drop_duplicates(["run", "seed"])
        named: dict[str, list[tuple[str, int]]] = {}
        for row in runs.to_dict("records"):
            values = ", ".join(f"{axis.replace('_', ' ')} {row[axis]}" for axis in study.axes if axis != "seed")
            named.setdefault(values or f"seed {row['seed']}", []).append((str(row["run"]), int(row["seed"])))
        return named
    single = {f"seed {seed}": [("", int(seed))] for seed in study.seeds}
    if len(single) == 1:
        return single
    return {f"mean of {len(single)} seeds": [key for keys in single.values() for key in keys], **single}


def _keys(study: Study, table: pd.DataFrame) -> pd.Series:
    runs = table["run"].astype(str) if "run" in table else pd.Series("", index=table.index)
    return pd.Series(list(zip(runs, table["seed"].astype(int), strict=True)), index=table.index)


def _means(rows: pd.DataFrame, by: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """Means over seeds at the epochs that all of them have, with `_error` half the interval; a single seed as it is."""
    own = rows[[*by, *columns]]
    if rows["seed"].nunique() == 1:
        return own.reset_index(drop=True)
    shared = rows.groupby("epoch")["seed"].nunique()
    own = own[own["epoch"].isin(shared.index[shared == rows["seed"].nunique()])]
    found = []
    for key, values in own.groupby(list(by), sort=False, dropna=False):
        summary = student_t_interval(values[list(columns)].to_numpy(float), level=LEVEL)
        errors = {f"{name}_error": half for name, half in zip(columns, summary.high - summary.mean, strict=True)}
        found.append({**dict(zip(by, key, strict=True)), **dict(zip(columns, summary.mean, strict=True)), **errors})
    return pd.DataFrame(found, columns=[*by, *columns, *(f"{name}_error" for name in columns)])


def _geometry(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows[rows["group"].isin(GROUPS)]
    unit = 1 if lower_bound(rows) is None else rows["examples_per_class"] / 2
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
        K=("K", _span), seeds=("seed", _span), status=("status_text", _each), bound=("is_bound", "max")
    ).reset_index()
    if rows["seed"].nunique() == 1:
        return _means(rows.assign(**values, **errors), by, [*values, *errors]).merge(said, on=by)
    return _means(rows.assign(**values), by, list(values)).merge(said, on=by)


def _drift(rows: pd.DataFrame, layers: Collection[str]) -> pd.DataFrame:
    rows = rows[(rows["group"] == "permuted") & rows["drift"].notna() & rows["layer"].isin(layers)]
    found = _means(rows, ["epoch", "layer", "layer_number", "group"], ["drift"])
    return found.assign(seeds=_span(rows["seed"]), status="ok")


def _training(rows: pd.DataFrame) -> pd.DataFrame:
    columns = {f"{group}_accuracy": group for group in ACCURACIES}
    percent = rows[["seed", "epoch"]].join(100 * rows[list(columns)].rename(columns=columns))
    means = _means(percent, ["epoch"], list(columns.values()))
    return means[means["epoch"].isin(thinned([int(epoch) for epoch in means["epoch"]], MOST_POINTS))]


def _rewinding(rows: pd.DataFrame) -> pd.DataFrame:
    alone = (rows["into"] == "final") & (rows["num_layers"] == 1) & (rows["source"].fillna("self") == "self")
    columns = {f"{group}_accuracy": group for group in REWOUND}
    own = rows[alone].rename(columns={"rewind_epoch": "epoch"})
    percent = own[["seed", "epoch", "layer", "layer_number"]].join(100 * own[list(columns)].rename(columns=columns))
    return _means(percent, ["epoch", "layer", "layer_number"], list(columns.values()))


def _few(rows: pd.DataFrame, per_epoch: int) -> pd.DataFrame:
    """Fewer epochs where there are more cells than a page can carry."""
    if not len(rows) or len(rows) <= MOST_CELLS:
        return rows
    most = max(FEWEST_EPOCHS, MOST_CELLS // (per_epoch * rows["run"].nunique()))
    return rows[rows["epoch"].isin(thinned([int(epoch) for epoch in rows["epoch"]], most))]


def _cells(rows: pd.DataFrame, steps: Mapping[str, Sequence[int]]) -> pd.DataFrame:
    if not len(rows):
        return rows
    own = [with_cells(part, steps[run]) for run, part in rows.groupby("run", sort=False)]
    return pd.concat(own, ignore_index=True)


def _span(values) -> str:
    found = sorted({int(value) for value in values if value == value})
    return "–" if not found else str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


def _each(values) -> str:
    return "; ".join(dict.fromkeys(values))
