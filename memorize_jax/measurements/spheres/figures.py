"""The synthetic spheres: what each axis tells about the class, and how a network learns them (figure A.3)."""

import numpy as np

from memorize_jax.figures.curves import first_seed_note, heading
from memorize_jax.figures.figure import Figure
from memorize_jax.figures.style import COLORS, Drawing, drawn, legend_below, subplots
from memorize_jax.studies.study import Study

# Of the two classes: none of the groups' colors.
CLASS_STYLES = ({"color": "#E69F00", "marker": "o"}, {"color": "#56B4E9", "marker": "^"})


def threshold_accuracy(values: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy of the rule "positive means class 0", the best one for centers +e and -e, of labels 0 and 1."""
    return float(np.mean((np.asarray(values) > 0) == (np.asarray(labels) == 0)))


@drawn()
def draw_spheres(study: Study) -> Drawing:
    """Draws figure A.3: two classes on axis 0 against other axes, and accuracy by epoch; of the first seed."""
    seed = study.seeds[0]
    table = study.tables["spheres"]
    table = table[table["seed"] == seed]
    others = [column for column in table.columns if column.startswith("axis_") and column != "axis_0"]
    figure, axes = subplots(2, 4, figsize=(11.5, 6.2))
    for axis, other in zip(axes.flat, others, strict=False):
        _scatter(axis, table, other)
    _histograms(axes[1, 0], table, "axis_0")
    _histograms(axes[1, 1], table, others[0])
    metrics = study.metrics_of(seed)
    for axis, groups in zip(axes[1, 2:], (("train", "test"), ("unpermuted", "permuted", "restored")), strict=True):
        for group in groups:
            axis.plot(metrics["epoch"], 100 * metrics[f"{group}_accuracy"], color=COLORS[group], label=group)
        axis.set_xlabel("epoch")
        axis.set_ylabel("accuracy (%)")
        axis.set_ylim(-3, 103)
        axis.legend(frameon=False, fontsize=8)
    legend_below(figure, [axes[0, 0]], 2, fontsize=None, markerscale=1.8)
    heading(figure, first_seed_note(study))
    return figure


def _name(column):
    return f"feature {column.removeprefix('axis_')}"


def _scatter(axis, table, other):
    for label, style in enumerate(CLASS_STYLES):
        own = table[table["label"] == label]
        axis.scatter(own["axis_0"], own[other], s=14, alpha=0.7, linewidth=0, label=f"class {label}", **style)
    axis.axvline(0, color="#777777", linewidth=1, linestyle="--")
    axis.set_xlabel(_name("axis_0"))
    axis.set_ylabel(_name(other))


def _histograms(axis, table, column):
    edges = np.linspace(table[column].min(), table[column].max(), 31)
    for label, style in enumerate(CLASS_STYLES):
        values = table.loc[table["label"] == label, column]
        axis.hist(values, edges, histtype="step", color=style["color"], linewidth=1.5)
    axis.axvline(0, color="#777777", linewidth=1, linestyle="--")
    axis.set_xlabel(_name(column))
    axis.set_ylabel("examples")
    share = threshold_accuracy(table[column].to_numpy(), table["label"].to_numpy())
    axis.set_title(f"its sign tells the class: {100 * share:.0f} %", fontsize=9)


def _obstacle(study: Study) -> str:
    return "" if study.dataset.startswith("spheres") else f"its data are {study.dataset}, not the synthetic spheres"


FIGURES = (
    Figure(
        "figa3",
        "The synthetic spheres",
        "Classes 0 and 1 have opposite centers on feature 0, where a threshold tells most, not all, of their examples "
        "apart; the other features tell nothing. In the paper the network still learns: test accuracy peaks and falls "
        "again while the permuted examples are memorized.",
        ("spheres", "metrics"),
        draw_spheres,
        _obstacle,
    ),
)
