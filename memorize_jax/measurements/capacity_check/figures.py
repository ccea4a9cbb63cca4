"""Simulated capacity against mean-field and joint capacity (figure 1B)."""

from memorize_jax.figures.bound import LABEL
from memorize_jax.figures.curves import epoch_range, heading, subject
from memorize_jax.figures.figure import Figure
from memorize_jax.figures.joint import is_bound
from memorize_jax.figures.style import COLORS, FLOOR, MARKERS, Drawing, drawn, groups_in, subplots
from memorize_jax.studies.study import Study

# Theory -> columns of its capacity and its standard error.
THEORIES = {
    "mean-field": ("mean_field_capacity", "mean_field_standard_error"),
    "joint": ("joint_capacity", "joint_standard_error"),
}


@drawn()
def draw_capacity_check(study: Study) -> Drawing:
    """Draws figure 1B, for mean-field and for joint capacity: a point for every layer, group, epoch and seed.

    Bars are two standard errors: of the draws, and of the random labelings. Layers where the simulation or the joint
    capacity is only a bound are left out.
    """
    table = study.tables["capacity_check"]
    known = table[table["bound"] == 0]
    theories = {name: own for name, own in THEORIES.items() if table[own[0]].notna().any()}
    shown = {name: known[~is_bound(known)] if name == "joint" else known for name in theories}
    floor = 2 / table["examples_per_class"].min()
    values = [floor, *known["simulated_capacity"]]
    for name, (column, _) in theories.items():
        values += shown[name][column].dropna().tolist()
    span = 0.8 * min(values), 1.25 * max(values)
    figure, axes = subplots(1, len(theories), figsize=(0.8 + 5.4 * len(theories), 6.0), sharey=True, squeeze=False)
    for axis, (name, columns) in zip(axes[0], theories.items(), strict=True):
        axis.plot(span, span, color="#333333", linewidth=1, label="equal")
        axis.axhline(floor, **FLOOR, label=LABEL)
        axis.axvline(floor, **FLOOR)
        _draw_points(axis, shown[name], table, *columns)
        _logarithmic(axis, span)
        axis.set_xlabel(f"{name} capacity α (classes per feature)")
    axes[0][0].set_ylabel("simulated capacity α (classes per feature)")
    axes[0][0].legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(0.12, 1))
    heading(figure, subject(study), *_lines(table))
    return figure


def _draw_points(axis, known, table, capacity, error):
    last = table.groupby("seed")["epoch"].transform("max")[known.index]
    for group in groups_in(known["group"]):
        for at_last in (True, False):
            own = known[(known["group"] == group) & ((known["epoch"] == last) == at_last)]
            style = {"fmt": MARKERS[group], "color": COLORS[group], "label": group if at_last else None}
            # Of earlier epochs hollow.
            style |= {"markerfacecolor": COLORS[group] if at_last else "none", "markersize": 5, "elinewidth": 0.8}
            errors = 2 * own["simulated_standard_error"], 2 * own[error]
            axis.errorbar(own[capacity], own["simulated_capacity"], *errors, **style)


def _logarithmic(axis, span):
    for scale in (axis.set_xscale, axis.set_yscale):
        scale("log")
    for number in (axis.xaxis, axis.yaxis):
        number.set_major_formatter("{x:g}")
        number.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "235" else "")
        number.set_tick_params(which="both", labelsize=9)
    axis.set_xlim(span)
    axis.set_ylim(span)
    axis.set_aspect("equal")


def _lines(table):
    """What the figure is of, and what it leaves out."""
    num_classes, num_examples = int(table["num_classes"].min()), int(table["examples_per_class"].min())
    bounds = int((table["bound"] != 0).sum())
    of_a_draw = table["joint_classes"].dropna().astype(int)
    lines = [
        f"P = {num_classes} classes of M = {num_examples} examples; bars: two standard errors",
        "filled: last epoch measured; hollow: earlier ones",
    ]
    if len(of_a_draw) and of_a_draw.min() < num_classes:
        lines.append(f"joint: {epoch_range(of_a_draw)} of the classes in a draw")
    if bounds:
        lines.append(f"{bounds} of {len(table)} left out: of these the simulation gives only a bound")
    has_joint = table["joint_capacity"].notna()
    if joint := int((is_bound(table) & has_joint & (table["bound"] == 0)).sum()):
        which = f"{joint} more" if bounds else f"{joint} of {len(table)}"
        lines.append(f"{which} left out of the joint panel: of these the joint capacity is only an upper bound")
    return lines


FIGURES = (
    Figure(
        "fig1b",
        "Simulated capacity against theory",
        "Each point is a layer and a group of examples. On the diagonal the theory says at how many features random "
        "labelings of the classes really stop being separable. The theory of the paper is mean-field: of many classes "
        "that extend in random directions. Its points lie near the diagonal in the paper, with a hundred classes; "
        "points below it are of classes that vary along the same directions, and few classes scatter more. Joint "
        "capacity, where it was measured, leaves the classes as they lie: its points should be on the diagonal.",
        ("capacity_check",),
        draw_capacity_check,
    ),
)
