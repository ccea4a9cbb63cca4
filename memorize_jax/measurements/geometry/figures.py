"""Geometry by layer (figures 3 and A.4 to A.7)."""

import pathlib

import numpy as np
import pandas as pd

from memorize_jax.figures.bound import bound_remark, dimension_remark, draw_bound, examples_note
from memorize_jax.figures.curves import draw_mean, epochs_note, fewest_seeds, heading, seeds_note, subject
from memorize_jax.figures.figure import Figure, not_measured, sentences
from memorize_jax.figures.joint import KINDS, LABELS, bounds_of_groups, has_joint, is_bound
from memorize_jax.figures.style import Drawing, drawn, group_style, groups_in, layer_axis, legend_below, subplots
from memorize_jax.measurements.geometry.bars import ERRORS, bars_note, standard_errors
from memorize_jax.measurements.geometry.capacity_map import FIGURES_OF_CAPACITY_MAP
from memorize_jax.measurements.geometry.directions import FIGURES_OF_DIRECTIONS
from memorize_jax.measurements.geometry.memorization_by_layer import FIGURES_OF_SHARES
from memorize_jax.measurements.geometry.split import FIGURES_OF_SPLIT
from memorize_jax.statistics import LEVEL
from memorize_jax.studies.study import Study

JOINT_REMARK = (
    "Two capacities are shown. Joint capacity leaves all classes where they are, and is what a hyperplane separates; "
    "mean-field capacity, the paper's, gives every class an orientation of its own, and lies above where classes vary "
    "along the same directions. Radius, dimension and center correlation are those of the mean-field theory."
)
# The paper's figures of the same for other networks.
ALIASES = {"figa4": "mlp", "figa5": "alexnet", "figa6": "resnet18", "figa7": "resnet18_tiny"}
# Network -> level and figure of the paper; it says none for others, which then have that of figure 3, of VGG16.
LEVELS = {"alexnet": (0.95, "A.5"), "resnet18": (0.95, "A.6"), "resnet18_tiny": (0.95, "A.7")}
FADED = "faded: best epoch"


@drawn()
def draw_geometry(
    geometry: pd.DataFrame, *, lines: tuple[str, ...] = (), behind: pd.DataFrame | None = None, level: float = LEVEL
) -> Drawing:
    """Draws the measures by layer, a curve per group; joint capacity too, if it was measured.

    Args:
      geometry: rows of one epoch of each seed, as in results/geometry.csv.
      lines: above the figure.
      behind: rows of another epoch, drawn faded.
      level: of the intervals, where there are several seeds; with one, bars are two standard errors, in capacities of
        the draws, and in all but the correlation of the choice of examples, where other examples were measured.
    """
    layers = geometry.sort_values("layer_number").drop_duplicates("layer")["layer"].tolist()
    measures = _measured(geometry)
    rows = -(-len(measures) // 2)
    figure, axes = subplots(rows, 2, figsize=(9.6, 1.2 + 2.8 * rows), sharex=True)
    panels = dict(zip(measures, axes.flat, strict=False))
    for measure, axis in panels.items():
        if behind is not None:
            _draw_groups(axis, behind, measure, layers, level, faded=True)
        _draw_groups(axis, geometry, measure, layers, level)
        if measure in KINDS:
            draw_bound(axis, geometry)
            axis.set_title(KINDS[measure], fontsize=9)
        if measure == "dimension":
            axis.set_title(f"of {examples_note(geometry)} examples per class", fontsize=9)
        if measure in (*KINDS, "center_correlation"):
            axis.set_ylim(bottom=0)
        axis.set_ylabel(measures[measure])
    # Two capacities side by side are compared.
    capacities = [axis for measure, axis in panels.items() if measure in KINDS]
    top = max(axis.get_ylim()[1] for axis in capacities)
    for axis in capacities:
        axis.set_ylim(top=top)
    for axis in list(axes.flat)[len(panels) :]:
        axis.remove()
    for axis in list(panels.values())[-2:]:
        layer_axis(axis, layers)
        axis.tick_params(labelbottom=True)
    legend_below(figure, [axes[0][0]], 6, last=FADED)
    heading(figure, *lines)
    return figure


def _measured(geometry):
    """Measure -> its label; joint capacity only if it was measured."""
    return {name: label for name, label in LABELS.items() if name != "joint_capacity" or has_joint(geometry)}


def _draw_groups(axis, geometry, measure, layers, level, faded=False):
    places = np.arange(len(layers))
    for index, group in enumerate(groups_in(geometry["group"])):
        own = geometry[geometry["group"] == group]
        values = own.pivot(index="seed", columns="layer", values=measure).reindex(columns=layers)
        style = group_style(group, markers=not faded)
        if faded:
            style |= {"alpha": 0.35, "linewidth": 2.5, "label": None if index else FADED}
        draw_mean(axis, places, values, level=level, band=not faded, **style)
        if measure == "joint_capacity":
            bounds = np.isin(layers, own[is_bound(own)]["layer"])
            axis.plot(places[bounds], values.mean()[bounds], **_hollow(group, faded))
        if len(values) == 1 and measure in ERRORS and not faded:
            errors = standard_errors(own, measure).reindex(layers)
            axis.errorbar(places, values.iloc[0], 2 * errors, fmt="none", ecolor=style["color"], capsize=2)


def _hollow(group, faded):
    """How joint capacities that are only upper bounds are drawn: arguments of `plot`."""
    style = group_style(group)
    hollow = {"linestyle": "", "marker": style["marker"], "markersize": style["markersize"], "zorder": 3}
    # The faded ones are as wide as their curves, and behind all others.
    hollow |= {"markersize": 7, "markeredgewidth": 1.5, "alpha": 0.35, "zorder": 2} if faded else {}
    return hollow | {"markerfacecolor": "white", "markeredgecolor": style["color"]}


def _draw_stage(study: Study, path: pathlib.Path, *, stage: str) -> pathlib.Path:
    level, figure = _level(study)
    rows = study.at_stage("geometry", stage)
    behind = _behind(study, stage)
    measures = list(_measured(rows))
    fewest = min(fewest_seeds(own, ("group", "layer"), measures) for own in (rows, behind) if own is not None)
    note = seeds_note(study, level, fewest)
    note += bars_note(rows) if len(study.seeds) == 1 else f", as in the paper's figure {figure}"
    lines = (f"{epochs_note(study, stage)}: {subject(study)}", note)
    return draw_geometry(rows, path, lines=lines, behind=behind, level=level)


def _level(study):
    """Level of the intervals, and the paper's figure that has it."""
    return LEVELS.get(study.model, (LEVEL, "3"))


def _why_not_faded(study):
    """Why the best epoch is not drawn behind the final one; "" if it is."""
    if study.epochs_of("best") == study.epochs_of("final"):
        return "best and final epoch are one"
    return "the best epoch was not measured" if _obstacle(study, stage="best") else ""


def _behind(study, stage):
    """The rows that are drawn faded behind those of a stage; None if none are."""
    return study.at_stage("geometry", "best") if stage == "final" and not _why_not_faded(study) else None


def _remark(study: Study, *, stage: str) -> str:
    rows, faded, intervals = study.at_stage("geometry", stage), "", ""
    if stage == "final":
        why = _why_not_faded(study)
        faded = f"No curves are drawn faded behind: {why}." if why else "Drawn faded: the best epoch."
    level, figure = _level(study)
    if len(study.seeds) > 1 and level != LEVEL:
        intervals = (
            f"Bands are {100 * level:g} % intervals, as in the paper's figure {figure}; the claims sheet judges these "
            f"measures by {100 * LEVEL:g} % intervals, as in its figure 3, whatever the network."
        )
    of_joint = JOINT_REMARK if has_joint(rows) else ""
    shown = {"best": _behind(study, stage), stage: rows}
    shown = {f"at the {name} epoch": own for name, own in shown.items() if own is not None}
    bounds = bounds_of_groups(shown, "Hollow points are")
    return sentences(bound_remark(rows), of_joint, bounds, dimension_remark(rows), faded, intervals)


def _obstacle(study: Study, *, stage: str) -> str:
    return not_measured(study, "geometry", study.epochs_of(stage), "--geometry_epochs=best,final")


def _entry(name, title, look_for, stage):
    about = (name, title, look_for, ("metrics", "geometry"), _draw_stage, _obstacle)
    return Figure(*about, aliases=ALIASES, remark=_remark).of(stage=stage)


FIGURES = (
    _entry(
        "fig3a",
        "Geometry by layer at the best epoch",
        "In the paper, restored examples (permuted ones under their true labels) lie like test examples at the epoch "
        "that generalizes best, the capacity of both grows with depth, and that of the permuted ones stays as low as "
        "it can be in every layer: nothing is memorized yet.",
        "best",
    ),
    _entry(
        "fig3b",
        "Geometry by layer at the final epoch",
        "In the paper, once all labels are learned, the capacity of permuted examples rises in the last layers only, "
        "that of the restored ones falls there, and early layers are as they were at the best epoch.",
        "final",
    ),
    *FIGURES_OF_SPLIT,
    *FIGURES_OF_DIRECTIONS,
    *FIGURES_OF_CAPACITY_MAP,
    *FIGURES_OF_SHARES,
)
