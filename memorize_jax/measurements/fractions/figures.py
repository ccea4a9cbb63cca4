"""Capacity against the share of permuted labels (figure A.8)."""

import pandas as pd

from memorize_jax.epochs import at_stages
from memorize_jax.figures.bound import bound_remark, draw_bound
from memorize_jax.figures.curves import draw_mean, heading, seeds_note
from memorize_jax.figures.figure import Figure, instead, sentences
from memorize_jax.figures.joint import KINDS, LABEL, bounds_remark, no_joint
from memorize_jax.figures.style import Drawing, drawn, group_style, groups_in, legend_below, subplots
from memorize_jax.studies.study import Study, three_layers

LEVEL = 0.95
# More rows than these cannot be compared by eye.
MOST_ROWS = 6


def _others(study):
    """Fields besides the fraction that differ between the runs: every combination of them has a row."""
    return [name for name in study.axes if name != "permuted_fraction"]


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


@drawn()
def draw_fractions(study: Study, *, column: str) -> Drawing:
    """Draws figure A.8: capacity (a column of `joint.KINDS`) at the end by share of permuted labels, at three layers.

    There is a row for each combination of what else differs.
    """
    rows, fewest = _combinations(study), len(study.seeds)
    size = (10.2, 2.9 * len(rows) + 1.0)
    figure, axes = subplots(len(rows), 3, figsize=size, sharex=True, squeeze=False)
    for (text, geometry), own in zip(rows, axes, strict=True):
        for axis, (place, layer) in zip(own, three_layers(_layers(geometry)).items(), strict=True):
            here = geometry[geometry["layer"] == layer]
            for group in groups_in(here["group"]):
                fewest = min(fewest, _draw_group(axis, here[here["group"] == group], group, column))
            draw_bound(axis, geometry)
            axis.set_title(f"{place} layer: {layer}", fontsize=10)
            axis.set_ylim(bottom=0)
        own[0].set_ylabel(f"{text}\n{LABEL}" if len(rows) > 1 else LABEL, fontsize=8.5)
    for axis in axes[-1]:
        axis.set_xlabel("share of permuted labels")
        axis.set_xlim(-0.04, 1.04)
    legend_below(figure, axes.flat, 5)
    note = "one seed; bars: two standard errors of the Gaussian draws"
    note = note if len(study.seeds) == 1 else seeds_note(study, LEVEL, fewest)
    heading(figure, f"final epoch: {study.model} on {study.dataset}", KINDS[column], note)
    return figure


def _layers(geometry):
    """Names in order; the input, number 0, is no layer."""
    return geometry[geometry["layer_number"] > 0].sort_values("layer_number")["layer"].drop_duplicates().tolist()


def _draw_group(axis, own, group, column):
    wide = own.pivot(index="seed", columns="permuted_fraction", values=column)
    fewest = draw_mean(axis, wide.columns, wide, level=LEVEL, **group_style(group))
    if len(wide) == 1:
        errors = 2 * own.sort_values("permuted_fraction")[f"{column}_standard_error"]
        axis.errorbar(wide.columns, wide.iloc[0], errors, fmt="none", ecolor=group_style(group)["color"], capsize=2)
    return fewest


def _obstacle(study: Study, *, column: str) -> str:
    if "permuted_fraction" not in study.axes or study.tables["geometry"]["permuted_fraction"].nunique() < 2:
        return instead("permuted_fraction")
    lacking = set(study.tables["metrics"]["run"]) - set(study.tables["geometry"]["run"])
    if lacking:
        ask = study.command("geometry", study.workdir / min(lacking))
        return f"the geometry of run {min(lacking)} is missing; resume the sweep, or make it with: {ask}"
    ends = study.tables["metrics"].groupby(["run", "seed"])["epoch"].max()
    there = set(map(tuple, study.tables["geometry"][["run", "seed", "epoch"]].drop_duplicates().to_numpy().tolist()))
    for (run, seed), epoch in ends.items():
        if (run, seed, epoch) not in there:
            ask = f"{study.command('geometry', study.workdir / run)} --geometry_epochs=best,final"
            return f"geometry of run {run}, seed {seed}, was not measured at epoch {epoch}; measure it with: {ask}"
    count = len(study.tables["geometry"].groupby(_others(study))) if _others(study) else 1
    if count > MOST_ROWS:
        return f"the sweep has {count} combinations of {', '.join(_others(study))}; at most {MOST_ROWS} are drawn"
    return no_joint(study) if column == "joint_capacity" else ""


def _remark(study: Study, *, column: str) -> str:
    drawn_rows = [own[own["layer"].isin(three_layers(_layers(own)).values())] for _, own in _combinations(study)]
    bounds = bounds_remark(pd.concat(drawn_rows), "Some are") if column == "joint_capacity" else ""
    return sentences(bound_remark(study.tables["geometry"]), bounds)


def _entry(name, title, look_for, column):
    needs, axes = ("metrics", "geometry"), ("permuted_fraction",)
    return Figure(name, title, look_for, needs, draw_fractions, _obstacle, axes, remark=_remark).of(column=column)


FIGURES = (
    _entry(
        "figa8",
        "Capacity against the share of permuted labels",
        "In the paper, the groups agree and hardly depend on the share of permuted labels at the first hidden layer "
        "and the middle convolution, while at the last hidden layer the capacity of test examples falls with it and "
        "that of permuted examples rises: they are memorized there. Without convolutions, the middle layer is the "
        "middle hidden one. The output does not count: it has as many features as classes whatever the network does.",
        "capacity",
    ),
    _entry(
        "figa8_joint",
        "Joint capacity against the share of permuted labels",
        "As figure A.8, but of joint capacity: what a hyperplane separates when all classes lie as they do. Not in the "
        "paper.",
        "joint_capacity",
    ),
)
