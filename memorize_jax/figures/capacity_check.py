"""Simulated against mean-field capacity (figure 1B)."""

from memorize_jax.figures.curves import heading, subject
from memorize_jax.figures.figure import Figure
from memorize_jax.figures.style import COLORS, FLOOR, MARKERS, Drawing, drawn, groups_in, subplots
from memorize_jax.study import Study


@drawn()
def draw_capacity_check(study: Study) -> Drawing:
    """Draws figure 1B: a point for every layer, group, epoch and seed.

    Bars are two standard errors: of the draws, and of the random labellings. Layers where the simulation only gives a
    bound are left out.

    Args:
      study: with the table capacity_check.
    """
    table = study.tables["capacity_check"]
    known = table[table["bound"] == 0]
    last = table.groupby("seed")["epoch"].transform("max")[known.index]
    floor = 2 / table["examples_per_class"].min()
    values = [*known["mean_field_capacity"].dropna(), *known["simulated_capacity"], floor]
    lowest, highest = 0.8 * min(values), 1.25 * max(values)
    figure, axis = subplots(figsize=(6.2, 6.0))
    axis.plot([lowest, highest], [lowest, highest], color="#333333", linewidth=1, label="equal")
    axis.axhline(floor, **FLOOR, label="lower bound 2/M")
    axis.axvline(floor, **FLOOR)
    for group in groups_in(known["group"]):
        for at_last in (True, False):
            own = known[(known["group"] == group) & ((known["epoch"] == last) == at_last)]
            # Of earlier epochs hollow.
            look = {
                "color": COLORS[group],
                "markerfacecolor": COLORS[group] if at_last else "none",
            }
            axis.errorbar(
                own["mean_field_capacity"],
                own["simulated_capacity"],
                2 * own["simulated_standard_error"],
                2 * own["mean_field_standard_error"],
                fmt=MARKERS[group],
                elinewidth=0.8,
                markersize=5,
                label=group if at_last else None,
                **look,
            )
    for scale in (axis.set_xscale, axis.set_yscale):
        scale("log")
    for number in (axis.xaxis, axis.yaxis):
        number.set_major_formatter("{x:g}")
        number.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "235" else "")
        number.set_tick_params(which="both", labelsize=9)
    axis.set_xlim(lowest, highest)
    axis.set_ylim(lowest, highest)
    axis.set_aspect("equal")
    axis.set_xlabel("mean-field capacity α (classes per feature)")
    axis.set_ylabel("simulated capacity α (classes per feature)")
    axis.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(0.12, 1))
    heading(figure, subject(study), *_lines(table))
    return figure


def _lines(table):
    """What the figure is of, and what it leaves out."""
    num_classes, num_examples = int(table["num_classes"].min()), int(table["examples_per_class"].min())
    bounds = int((table["bound"] != 0).sum())
    lines = [
        f"P = {num_classes} classes of M = {num_examples} examples; bars: two standard errors",
        "filled: last epoch measured; hollow: earlier ones",
    ]
    if bounds:
        lines.append(
            f"{bounds} of {len(table)} left out: half of the labellings separate at no number of features, or at one"
        )
    return lines


FIGURES_OF_CAPACITY_CHECK = (
    Figure(
        "fig1b",
        "Simulated against mean-field capacity",
        "Each point is a layer and a group of examples. On the diagonal the mean-field capacity of the other figures "
        "says at how many features random labellings of the classes really stop being separable; in the paper, with a "
        "hundred classes, points lie near it. The theory is of many classes that extend in random directions: points "
        "below it are of classes that vary along the same directions, and few classes scatter more.",
        ("capacity_check",),
        draw_capacity_check,
    ),
)
