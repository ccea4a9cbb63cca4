"""What the change of joint capacity while memorizing consists of (no figure of the paper)."""

import numpy as np
import pandas as pd

from memorize_jax.epochs import STAGES
from memorize_jax.figures.bound import dimension_remark, examples_note
from memorize_jax.figures.curves import epochs_note, fewest_seeds, heading, seeds_note, subject
from memorize_jax.figures.figure import Figure, not_measured, sentences
from memorize_jax.figures.joint import any_bound, bounds_of_groups, is_bound, no_joint
from memorize_jax.figures.style import Drawing, drawn, groups_in, layer_axis, legend_below, number_lowest, subplots
from memorize_jax.statistics import LEVEL, student_t_interval
from memorize_jax.studies.study import Study

# Part -> color and hatch; none is a color of a group.
PARTS = {
    "utility": ("#E69F00", ""),
    "radius": ("#56B4E9", "///"),
    "dimension": ("#F0E442", "..."),
}
KEY = ["seed", "group", "layer"]
SUM = "sum: change of log capacity"


def split_change(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Splits the change of the logarithm of joint capacity, exactly.

        log capacity = log utility + log(1 + radius^-2) - log dimension

    Args:
      before: rows of the geometry, one for every seed, group and layer.
      after: those at another epoch.

    Returns:
      a row for each that both have, with columns utility, radius, dimension (their parts of the change), capacity (its
      change, their sum), layer_number; NaN where either capacity is only a bound, or was not measured.
    """
    logs = [_logarithms(rows) for rows in (before, after)]
    numbers = after.set_index(KEY)["layer_number"]
    return (logs[1] - logs[0]).join(numbers, how="inner").reset_index()


def _logarithms(rows):
    own = rows.set_index(KEY)
    own = own.where(~is_bound(own))
    parts = {"utility": own["joint_utility"], "radius": 1 + own["joint_radius"] ** -2}
    parts |= {"dimension": 1 / own["joint_dimension"], "capacity": own["joint_capacity"]}
    found = pd.DataFrame(parts).astype(float)
    return np.log(found.where(found > 0))


@drawn(**{"hatch.linewidth": 0.5})
def draw_split(study: Study) -> Drawing:
    """Draws the three parts of the change from the best to the final epoch as bars, and their sum as a point."""
    change = _known(study, split_change(study.at_stage("geometry", "best"), study.at_stage("geometry", "final")))
    layers = change.sort_values("layer_number").drop_duplicates("layer")["layer"].tolist()
    groups = groups_in(change["group"])
    rows = -(-len(groups) // 2)
    figure, axes = subplots(rows, 2, figsize=(9.6, 1.2 + 2.8 * rows), sharex=True, sharey=True, squeeze=False)
    for axis, group in zip(axes.flat, groups, strict=False):
        own = change[change["group"] == group]
        _stack(axis, own.groupby("layer")[list(PARTS)].mean().reindex(layers))
        total = own.pivot(index="seed", columns="layer", values="capacity").reindex(columns=layers)
        found = student_t_interval(total.to_numpy(float), level=LEVEL)
        bars = None if len(total) == 1 else [found.mean - found.low, found.high - found.mean]
        style = {"fmt": "D", "color": "black", "markersize": 4, "capsize": 2, "label": SUM}
        axis.errorbar(range(len(layers)), found.mean, bars, **style)
        axis.axhline(0, color="#333333", linewidth=0.8)
        axis.set_title(group, fontsize=10)
        layer_axis(axis, layers)
        axis.grid(visible=False, axis="x")
    shown, hidden = list(axes.flat)[: len(groups)], list(axes.flat)[len(groups) :]
    for axis in hidden:
        axis.set_visible(False)
    for axis in shown[:-2]:
        axis.set_xlabel(None)
    number_lowest(shown)
    for axis in axes[:, 0]:
        axis.set_ylabel("change of log joint capacity")
    legend_below(figure, axes[0][:1], 4, last=SUM)
    stages = f"{epochs_note(study, 'best')} to {epochs_note(study, 'final')}, {examples_note(study.tables['geometry'])}"
    note = seeds_note(study, LEVEL, fewest_seeds(change, ("group", "layer"), ("capacity",)))
    heading(figure, f"{stages}: {subject(study)}", note.replace("bands", "bars of the sum"))
    return figure


def _at_stages(study):
    return pd.concat([study.at_stage("geometry", stage) for stage in STAGES])


def _known(study, change):
    """The change, of no seed where any seed's capacity is a bound at either epoch."""
    rows = _at_stages(study)
    bounds = rows.loc[any_bound(rows, ("group", "layer")), ["group", "layer"]].drop_duplicates()
    gone = change[["group", "layer"]].merge(bounds, how="left", indicator=True)["_merge"].eq("both").to_numpy()
    return change.assign(**{name: change[name].mask(gone) for name in (*PARTS, "capacity")})


def _stack(axis, means):
    """Bars upon one another: what raises the capacity above zero, what lowers it below."""
    ends = {sign: np.zeros(len(means)) for sign in (1, -1)}
    for part, (color, hatch) in PARTS.items():
        values = means[part].to_numpy()
        style = {"color": color, "hatch": hatch, "edgecolor": "#333333", "label": f"by {part}"}
        axis.bar(range(len(means)), values, bottom=np.where(values >= 0, ends[1], ends[-1]), **style)
        for sign, end in ends.items():
            end += np.where(sign * values > 0, values, 0)


def _obstacle(study: Study) -> str:
    if found := no_joint(study):
        return found
    if study.epochs_of("best") == study.epochs_of("final"):
        return "best and final epoch are one, so nothing changed between them"
    lacking = (not_measured(study, "geometry", study.epochs_of(s), "--geometry_epochs=best,final") for s in STAGES)
    return next(filter(None, lacking), "")


def _remark(study: Study) -> str:
    rows = _at_stages(study)
    bounds = bounds_of_groups({"": rows}, "Without bars are")
    return sentences(bounds, dimension_remark(rows))


FIGURES_OF_SPLIT = (
    Figure(
        "fig3_split",
        "Why capacity changed from the best to the final epoch",
        "Joint capacity grows when class manifolds become smaller (radius), vary in fewer directions (dimension), or "
        "lie better to one another (utility). Every bar is the part of one of the three in the change of the logarithm "
        "of capacity, upward if it raised the capacity; the three add up exactly to the black diamond; 0.1 is about "
        "10 %. Where the network memorizes, the sum is above zero for permuted examples and below zero for restored "
        "ones: look which part does it, and in which layers. Not in the paper.",
        ("metrics", "geometry"),
        draw_split,
        _obstacle,
        remark=_remark,
    ),
)
