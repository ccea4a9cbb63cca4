"""Capacity against the share of permuted labels (figure A.8)."""

import pathlib

import pandas as pd

from memorize_jax.figures.curves import draw_mean, heading
from memorize_jax.figures.figure import INSTEAD, Figure
from memorize_jax.figures.style import FLOOR, STYLE, group_style, groups_in, plt, save
from memorize_jax.stages import at_stages
from memorize_jax.study import Study, command

LEVEL = 0.95
# More rows than these cannot be compared by eye.
MOST_ROWS = 6
PLACES = ("first", "middle", "last")


def _others(study):
    """Fields besides the fraction that differ between the runs: every combination of them has a row."""
    return [name for name in study.varies if name != "permuted_fraction"]


def _combinations(study):
    """The runs of each combination of the other fields: [(text, geometry at the final epoch)]."""
    geometry, metrics, others = study.tables["geometry"], study.tables["metrics"], _others(study)
    parts = []
    for run, own in geometry.groupby("run", sort=False):
        of_run = metrics[metrics["run"] == run]
        rows = at_stages(own, {seed: table for seed, table in of_run.groupby("seed")})
        parts.append(rows[rows["stage"] == "final"])
    final = pd.concat(parts, ignore_index=True)
    if not others:
        return [(study.model, final)]
    found = []
    for values, own in final.groupby(others, sort=False):
        named = zip(others, values, strict=True)
        text = ", ".join(str(value) if name in ("model", "dataset") else f"{name} {value}" for name, value in named)
        found.append((text, own))
    return found


def three_layers(geometry: pd.DataFrame) -> dict[str, str]:
    """The first, the middle and the last analysed layer of a network, as figure A.8 compares them.

    Args:
      geometry: its rows; the input, number 0, is no layer. Where there are convolutions, one of them is the middle.

    Returns:
      "first", "middle" and "last" -> name.
    """
    layers = geometry[geometry["layer_number"] > 0].sort_values("layer_number")["layer"].drop_duplicates().tolist()
    inner = [name for name in layers if name.startswith("conv")] or layers
    return dict(zip(PLACES, (layers[0], inner[len(inner) // 2], layers[-1]), strict=True))


def draw_fractions(study: Study, path: pathlib.Path) -> pathlib.Path:
    """Draws figure A.8: capacity at the final epoch by share of permuted labels, at three layers.

    Args:
      study: a sweep over fractions; a row for each combination of what else differs.
      path: of the figure.

    Returns:
      path.
    """
    rows = _combinations(study)
    with plt.rc_context(STYLE):
        size = (10.2, 2.9 * len(rows) + 1.0)
        figure, axes = plt.subplots(len(rows), 3, figsize=size, sharex=True, squeeze=False)
        for (text, geometry), own in zip(rows, axes, strict=True):
            floor = 2 / geometry["examples_per_class"].min()
            for axis, (place, layer) in zip(own, three_layers(geometry).items(), strict=True):
                here = geometry[geometry["layer"] == layer]
                for group in groups_in(here["group"]):
                    _draw_group(axis, here[here["group"] == group], group)
                axis.axhline(floor, label="lower bound 2/M", **FLOOR)
                axis.set_title(f"{place} layer: {layer}", fontsize=10)
                axis.set_ylim(bottom=0)
            label = "capacity α (classes per feature)"
            own[0].set_ylabel(f"{text}\n{label}" if len(rows) > 1 else label, fontsize=8.5)
        for axis in axes[-1]:
            axis.set_xlabel("share of permuted labels")
            axis.set_xlim(-0.04, 1.04)
        found = {}
        for axis in axes.flat:
            found |= dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
        figure.legend(found.values(), found, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
        what = f"final epoch: {study.model} on {study.dataset}"
        heading(figure, what, _note(study))
        return save(figure, path)


def _draw_group(axis, own, group):
    wide = own.pivot(index="seed", columns="permuted_fraction", values="capacity")
    draw_mean(axis, wide.columns, wide, level=LEVEL, **group_style(group))
    if len(wide) == 1:
        errors = 2 * own.sort_values("permuted_fraction")["capacity_standard_error"]
        axis.errorbar(wide.columns, wide.iloc[0], errors, fmt="none", ecolor=group_style(group)["color"], capsize=2)


def _note(study):
    count = len(study.seeds)
    if count == 1:
        return "one seed; bars: two standard errors of the Gaussian draws"
    return f"mean of {count} seeds, bands: {100 * LEVEL:g} % Student-t interval"


def _obstacle(study: Study) -> str:
    if "permuted_fraction" not in study.varies or study.tables["geometry"]["permuted_fraction"].nunique() < 2:
        return INSTEAD["sweep"]
    lacking = set(study.tables["metrics"]["run"]) - set(study.tables["geometry"]["run"])
    if lacking:
        ask = command("geometry", study.workdir / min(lacking))
        return f"the geometry of run {min(lacking)} is missing; go on with the sweep, or make it with: {ask}"
    ends = study.tables["metrics"].groupby(["run", "seed"])["epoch"].max()
    there = set(map(tuple, study.tables["geometry"][["run", "seed", "epoch"]].drop_duplicates().to_numpy().tolist()))
    for (run, seed), epoch in ends.items():
        if (run, seed, epoch) not in there:
            ask = f"{command('geometry', study.workdir / run)} --geometry_epochs=best,final"
            return f"geometry of run {run}, seed {seed}, was not measured at epoch {epoch}; measure it with: {ask}"
    count = len(study.tables["geometry"].groupby(_others(study))) if _others(study) else 1
    if count > MOST_ROWS:
        return f"the sweep has {count} combinations of {', '.join(_others(study))}; at most {MOST_ROWS} are drawn"
    return ""


FIGURES_OF_FRACTIONS = (
    Figure(
        "figa8",
        "Capacity against the share of permuted labels",
        "At the first and the middle layer the groups agree and hardly depend on the share of permuted labels. At the "
        "last layer the capacity of test examples falls with it in the paper, and permuted examples rise above the "
        "lower bound 2/M: they are memorised there.",
        ("metrics", "geometry"),
        draw_fractions,
        _obstacle,
        kinds=("sweep",),
    ),
)
