"""Capacity as a map of layer by epoch (no figure of the paper)."""

from memorize_jax.figures.bound import bound_remark, lower_bound
from memorize_jax.figures.curves import heading, mean_note, subject
from memorize_jax.figures.figure import Figure, sentences
from memorize_jax.figures.heat import by_layer_and_epoch, draw_heat, layer_names, limits, too_few_columns
from memorize_jax.figures.joint import KINDS, LABEL, bounds_remark, no_joint
from memorize_jax.figures.style import Drawing, drawn, groups_in, number_lowest, subplots
from memorize_jax.studies.study import Study

LEAST_EPOCHS = 3


@drawn()
def draw_capacity_map(study: Study, *, column: str) -> Drawing:
    """Draws the capacity, one of `joint.KINDS`, of each group by layer and epoch, on one color scale."""
    geometry = study.tables["geometry"]
    names, floor = layer_names(geometry), lower_bound(geometry)
    panels = {
        group: by_layer_and_epoch(study, geometry[geometry["group"] == group], column)
        for group in groups_in(geometry["group"])
    }
    low, high = limits(panels.values())
    low = low if floor is None else min(low, 0.95 * floor)
    lines = -(-len(panels) // 2)
    size = (9.6, (1.0 + 0.2 * max(len(names), 6)) * lines + 0.6)
    figure, axes = subplots(lines, 2, figsize=size, sharex=True, sharey=True, squeeze=False)
    shown, hidden = list(axes.flat)[: len(panels)], list(axes.flat)[len(panels) :]
    for axis in hidden:
        axis.set_visible(False)
    for axis, (group, panel) in zip(shown, panels.items(), strict=True):
        mesh = draw_heat(axis, panel, names, cmap="viridis", vmin=low, vmax=high)
        axis.set_title(group, fontsize=10)
    for axis in axes[:, 0]:
        axis.set_ylabel("layer")
    for axis in shown[:-2]:
        axis.set_xlabel(None)
    number_lowest(shown)
    bar = figure.colorbar(mesh, ax=axes, label=LABEL)
    if floor is not None:
        bar.ax.axhline(floor, color="white", linewidth=2)
        bar.ax.axhline(floor, color="black", linewidth=1)
        bar.ax.set_title("line: lower\nbound 2/M", fontsize=8)
    heading(figure, subject(study), KINDS[column], mean_note(study, min(panel.fewest for panel in panels.values())))
    return figure


def _obstacle(study: Study, *, column: str) -> str:
    return (no_joint(study) if column == "joint_capacity" else "") or too_few_columns(study, "geometry", LEAST_EPOCHS)


def _remark(study: Study, *, column: str) -> str:
    geometry = study.tables["geometry"]
    bounds = bounds_remark(geometry, "Some are") if column == "joint_capacity" else ""
    return sentences(bound_remark(geometry, "line on the color bar"), bounds)


def _entry(name, title, look_for, column):
    about = (name, title, look_for, ("metrics", "geometry"), draw_capacity_map, _obstacle)
    return Figure(*about, remark=_remark, least_epochs=LEAST_EPOCHS).of(column=column)


FIGURES_OF_CAPACITY_MAP = (
    _entry(
        "map_joint_capacity",
        "When and where joint capacity grows",
        "Read along a row how a layer changes with training, down a column how the network changes with depth. Joint "
        "capacity is what a hyperplane separates when all classes lie as they do. That of unpermuted, restored and "
        "test manifolds brightens first; that of permuted ones later and in the last layers, where restored ones then "
        "darken. Not in the paper.",
        "joint_capacity",
    ),
    _entry(
        "map_capacity",
        "When and where mean-field capacity grows",
        "The same map of the capacity of mean-field theory, which the paper's figures show. Not in the paper.",
        "capacity",
    ),
)
