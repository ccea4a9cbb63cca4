"""Norms and ratios of the parts of the gradient (figures 5, A.1, A.12 to A.14)."""

import functools

import numpy as np
import pandas as pd

from memorize_jax.figures.curves import heading, mean_note, subject
from memorize_jax.figures.figure import Figure
from memorize_jax.figures.heat import Means, by_layer_and_epoch, draw_heat, layer_names, limits, too_few_columns
from memorize_jax.figures.style import Drawing, drawn, subplots
from memorize_jax.measurements.gradients.ratios import RATIOS, Part, is_weighted
from memorize_jax.studies.study import Study

GROUPS = ("all", "unpermuted", "permuted")
# Powers of ten either side of the neutral color, as in the paper.
RANGE = 2.5
# The other form that the paper gives, equation 2 or 16, is in the table as well.
OF_FORM = "Parts as in equation 15."
# What a gradient is of one seed.
KEYS = ["seed", "epoch", "layer_number"]


def _logarithms(study: Study, group: str, part: str) -> pd.Series:
    """log10 of the squared norm by `KEYS`; NaN where the norm is zero."""
    table = study.tables["gradients"]
    rows = table[(table["form"] == "eq15") & (table["group"] == group) & (table["part"] == part)]
    return np.log10(rows["squared_norm"].where(rows["squared_norm"] > 0)).set_axis(pd.MultiIndex.from_frame(rows[KEYS]))


def _means(study: Study, logarithms: pd.Series) -> Means:
    return by_layer_and_epoch(study, logarithms.rename("log").reset_index(), "log")


def _heading(figure, study, what, fewest, *, weighted=False):
    weighting = (
        "groups weighted by their shares of the examples" if weighted and is_weighted(study.tables["gradients"]) else ""
    )
    heading(figure, what, subject(study), weighting, mean_note(study, fewest))


def _size(names, columns=1, rows=1):
    return 4.6 * columns + 0.2, (1.1 + 0.2 * max(len(names), 6)) * rows + 0.6


@drawn()
def draw_norm(study: Study, *, group: str) -> Drawing:
    """Draws figure 5A, B or C: the full gradient on a group, layer by epoch, on one color scale for the three."""
    there = [name for name in GROUPS if name in set(study.tables["gradients"]["group"])]
    panels = {name: _means(study, _logarithms(study, name, "full")) for name in there}
    (low, high), own = limits(panels.values()), panels[group]
    label, what = "log$_{10}$ ‖∇L‖²", f"squared norm of the gradient, {group} examples"
    return _one_map(study, own, label, what, weighted=group != "all", cmap="viridis", vmin=low, vmax=high)


@drawn()
def draw_ratio(study: Study, *, above: Part, below: Part, what: str) -> Drawing:
    """Draws figure 5D to G: the ratio of two parts (group, part) of the gradient, layer by epoch."""
    means = _means(study, _logarithms(study, *above) - _logarithms(study, *below))
    label, colors = "log$_{10}$ of the ratio of ‖∇L‖²", {"cmap": "PRGn", "vmin": -RANGE, "vmax": RANGE}
    return _one_map(study, means, label, what, extend="both", **colors)


def _one_map(study, means, label, what, *, weighted=False, extend=None, **colors):
    names = layer_names(study.tables["gradients"])
    figure, axis = subplots(figsize=_size(names))
    mesh = draw_heat(axis, means, names, **colors)
    figure.colorbar(mesh, ax=axis, label=label, extend=extend)
    axis.set_ylabel("layer")
    _heading(figure, study, what, means.fewest, weighted=weighted)
    return figure


@drawn()
def draw_parts(study: Study) -> Drawing:
    """Draws figure A.1: the two parts of the gradient on unpermuted and permuted examples, layer by epoch."""
    names, fewest = layer_names(study.tables["gradients"]), len(study.seeds)
    figure, axes = subplots(2, 2, figsize=_size(names, 2, 2), sharex=True, sharey=True)
    for row, part in zip(axes, ("dep", "ind"), strict=True):
        panels = {group: _means(study, _logarithms(study, group, part)) for group in GROUPS[1:]}
        low, high = limits(panels.values())
        for axis, (group, panel) in zip(row, panels.items(), strict=True):
            fewest = min(fewest, panel.fewest)
            mesh = draw_heat(axis, panel, names, cmap="viridis", vmin=low, vmax=high)
            axis.set_title(f"{part}, {group}", fontsize=10)
        figure.colorbar(mesh, ax=row, label=f"log$_{{10}}$ ‖∇L$_{{{part}}}$‖²")
        row[0].set_ylabel("layer")
    for axis in axes[0]:
        axis.set_xlabel(None)
    what = "squared norms of the label-dependent (dep) and the label-independent part (ind)"
    _heading(figure, study, what, fewest, weighted=True)
    return figure


def _obstacle(study, groups, is_ratio):
    there = set(study.tables["gradients"]["group"])
    lacking = [group for group in groups if group not in there]
    if lacking:
        return f"there are no {lacking[0]} examples"
    if is_ratio and len(groups) > 1 and is_weighted(study.tables["gradients"]):
        ask = f"{study.command('gradients')} --gradient_weighting=subset"
        return f"groups were weighted by their shares, which makes their sizes part of the ratio; measure with: {ask}"
    return too_few_columns(study, "gradients", 1)


def _remark(study, groups, is_ratio):
    # Within a group the shares cancel, and all examples have none.
    if is_ratio or groups == ("all",) or not is_weighted(study.tables["gradients"]):
        return ""
    return (
        "Groups are weighted by their shares of the training examples, so norms of different groups differ by the "
        "square of these as well; the paper's are means over a group."
    )


def _entry(name, title, look_for, draw, groups, **options):
    about = {"groups": groups, "is_ratio": draw is draw_ratio}
    obstacle, remark = (functools.partial(function, **about) for function in (_obstacle, _remark))
    of_others = {"figa12": "alexnet", "figa13": "resnet18", "figa14": "resnet18_tiny"}
    aliases = of_others if name.startswith("fig5") else {}
    draw = functools.partial(draw, **options)
    return Figure(name, title, look_for, ("metrics", "gradients"), draw, obstacle, aliases=aliases, remark=remark)


def _norm(letter, group, look_for):
    title = f"Size of the gradient on {group} examples"
    return _entry(f"fig5{letter}", title, look_for, draw_norm, (group,), group=group)


def _ratio(letter, title, what, look_for):
    above, below = RATIOS[letter]
    groups, look_for = tuple(dict.fromkeys((above[0], below[0]))), f"{look_for} {OF_FORM}"
    return _entry(f"fig5{letter}", title, look_for, draw_ratio, groups, above=above, below=below, what=what)


FIGURES = (
    _norm(
        "a",
        "all",
        "In the paper no row turns dark toward the early layers: gradients do not vanish there, so vanishing is not "
        "why early layers do not memorize. A, B and C share a color scale.",
    ),
    _norm("b", "unpermuted", "Examples that kept their label: in the paper their gradient leads early in training."),
    _norm(
        "c",
        "permuted",
        "Examples with permuted labels: in the paper they contribute as much as the others toward the end, and more "
        "where memorizing is not yet done.",
    ),
    _ratio(
        "d",
        "Label-dependent against label-independent part, unpermuted examples",
        "unpermuted examples: dep / ind",
        "Green, as in the paper early in training: what the labels say drives the gradient of unpermuted examples.",
    ),
    _ratio(
        "e",
        "Label-dependent against label-independent part, permuted examples",
        "permuted examples: dep / ind",
        "Purple, as in the paper early in training: permuted labels pull in all directions and cancel.",
    ),
    _ratio(
        "f",
        "Label-dependent part, unpermuted against permuted examples",
        "label-dependent part: unpermuted / permuted examples",
        "Green, as in the paper early in training: what the network learns first are the labels of unpermuted "
        "examples.",
    ),
    _ratio(
        "g",
        "Label-independent part, unpermuted against permuted examples",
        "label-independent part: unpermuted / permuted examples",
        "White where the two kinds of examples are alike without their labels, in the paper nearly throughout.",
    ),
    _entry(
        "figa1",
        "The two parts of the gradient",
        "In the paper the label-dependent part of permuted examples is close to nothing early in training, and both "
        f"parts grow toward the end, where they cancel each other. {OF_FORM}",
        draw_parts,
        GROUPS[1:],
    ),
)
