"""What the moving picture is drawn from: the tables of a study, by run, layer, epoch and group."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from memorize_jax.explorer.places import thinned, with_cells
from memorize_jax.explorer.rows import (
    GROUPS,
    MEASURES,
    drift_rows,
    errors_of,
    geometry_rows,
    rewinding_rows,
    training_rows,
)
from memorize_jax.figures.bound import lower_bound
from memorize_jax.studies.study import Study

# Cells of all maps: a page has to carry them.
MOST_CELLS, FEWEST_EPOCHS = 16_000, 6
TITLES = {
    "dimension": "dimension",
    "radius": "radius",
    "correlation": "center correlation",
    "drift": "drift from true class (0) to assigned class (1)",
}
# What capacities without a margin are in units of.
UNIT = "2/M"


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
      errors: run -> what its errors are, in a sentence.
      leaves_out_output: whether the geometry of the output layer was measured and is not shown.
    """

    runs: tuple[str, ...]
    layers: tuple[str, ...]
    epochs: dict[str, list[int]]
    measures: dict[str, str]
    places: pd.DataFrame
    training: pd.DataFrame
    rewinding: pd.DataFrame
    errors: dict[str, str]
    leaves_out_output: bool

    @property
    def is_in_units(self) -> bool:
        """Whether capacities are in units of the least that they can be, 2/M."""
        return any(UNIT in title for title in self.measures.values())

    @property
    def has_permuted(self) -> bool:
        """Whether a capacity of permuted examples is shown."""
        permuted = self.places[self.places["group"] == "permuted"]
        shown = [name for name in ("joint", "mean_field") if name in self.measures]
        return bool(permuted[shown].notna().any(axis=None))

    @property
    def has_bounds(self) -> bool:
        """Whether some of the joint capacities are known only as upper bounds."""
        known = self.places["joint"].notna()
        return "joint" in self.measures and bool((self.places["bound"].eq(True) & known).any())


def explored(study: Study) -> Explored | None:
    """Gathers what the moving picture shows.

    None where a study has no geometry, one that cannot be compared between runs or no epoch of it that all seeds of a
    run share, or layers that differ between runs.
    """
    if "geometry" not in study.tables or not study.layers:
        return None
    # The output has as many features as classes, whatever the network does: beside it no other layer shows.
    hidden = {*study.layers[:-1], "input"} if len(study.layers) > 1 else set(study.layers)
    whole = study.tables["geometry"]
    if study.not_comparable("geometry", whole.get("run", ())):
        return None
    geometry = whole[whole["layer"].isin(hidden)]
    if geometry.empty:
        return None
    names = geometry.drop_duplicates("layer_number").sort_values("layer_number")["layer"]
    # All runs in one unit: they are shown on one scale.
    is_in_units = lower_bound(geometry) is not None
    errors, parts = {}, {"places": [], "drift": [], "training": [], "rewinding": []}
    for name, keys in _members(study, set(_keys(study, geometry))).items():
        of_run = lambda table, keys=keys: table[_keys(study, table).isin(keys)]
        own, num_seeds = of_run(geometry), len(keys)
        places = geometry_rows(own, num_seeds, in_units_of_bound=is_in_units)
        if places[list(MEASURES)].isna().all(axis=None):
            continue
        errors[name] = errors_of(own, num_seeds)
        parts["places"].append(places.assign(run=name))
        if "collapse" in study.tables:
            parts["drift"].append(drift_rows(of_run(study.tables["collapse"]), hidden, num_seeds).assign(run=name))
        parts["training"].append(training_rows(of_run(study.tables["metrics"]), num_seeds).assign(run=name))
        if "rewinding" in study.tables:
            parts["rewinding"].append(rewinding_rows(of_run(study.tables["rewinding"]), num_seeds).assign(run=name))
    if not errors:
        return None
    found = {name: _together(own) for name, own in parts.items()}
    found = {name: _few(rows, len(names) * len(GROUPS)) for name, rows in found.items()}
    steps = {run: sorted({int(one) for one in rows["epoch"]}) for run, rows in found["places"].groupby("run")}
    cells = {name: _cells(rows, steps) for name, rows in found.items()}
    places = _together([cells["places"], cells["drift"]])
    titles = {**_capacities(geometry), **TITLES}
    measures = {name: title for name, title in titles.items() if name in places and places[name].notna().any()}
    return Explored(
        tuple(errors),
        tuple(names),
        {run: steps[run] for run in errors},
        measures,
        places,
        cells["training"],
        cells["rewinding"],
        errors,
        bool(whole["layer"].isin(set(study.layers) - hidden).any()),
    )


def _capacities(geometry: pd.DataFrame) -> dict[str, str]:
    """What capacities are called: with their unit, or with the margins that they have none for."""
    if lower_bound(geometry) is None:
        margins = " and ".join(f"{margin:g}" for margin in sorted(geometry["kappa"].unique()))
        unit = f"capacity with margin κ = {margins}"
    else:
        unit = f"capacity, in units of {UNIT}"
    return {"joint": f"joint {unit}", "mean_field": f"mean-field {unit}"}


def _together(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    some = [rows for rows in parts if len(rows)]
    return pd.concat(some, ignore_index=True) if some else pd.DataFrame()


def _members(study: Study, measured: Collection[tuple[str, int]]) -> dict[str, list[tuple[str, int]]]:
    """Name of what is shown as a run -> (run, seed) of which it is the mean, of those whose geometry was measured."""
    if study.axes:
        metrics = study.tables["metrics"]
        # Those without permuted examples, in which nothing is memorized, at the end.
        order = [metrics["permuted_fraction"] == 0, *(metrics[axis] for axis in study.axes)]
        runs = metrics.assign(**{f"order{index}": key for index, key in enumerate(order)})
        runs = runs.sort_values([f"order{index}" for index in range(len(order))]).drop_duplicates(["run", "seed"])
        named: dict[str, list[tuple[str, int]]] = {}
        for row in runs.to_dict("records"):
            values = ", ".join(f"{axis.replace('_', ' ')} {row[axis]}" for axis in study.axes if axis != "seed")
            if (key := (str(row["run"]), int(row["seed"]))) in measured:
                named.setdefault(values or f"seed {row['seed']}", []).append(key)
        return named
    single = {f"seed {seed}": [("", int(seed))] for seed in study.seeds if ("", int(seed)) in measured}
    if len(single) == 1:
        return single
    return {f"mean of {len(single)} seeds": [key for keys in single.values() for key in keys], **single}


def _keys(study: Study, table: pd.DataFrame) -> pd.Series:
    runs = table["run"].astype(str) if "run" in table else pd.Series("", index=table.index)
    return pd.Series(list(zip(runs, table["seed"].astype(int), strict=True)), index=table.index)


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
