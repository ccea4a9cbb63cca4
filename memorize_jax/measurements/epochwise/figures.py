"""Test error over epochs, a line for each permuted fraction (no figure of the paper)."""

from memorize_jax.figures.curves import heading, mean_note, subject
from memorize_jax.figures.figure import Figure, instead
from memorize_jax.figures.style import Drawing, drawn, epoch_axis, legend_below, shade, subplots
from memorize_jax.measurements.epochwise.curves import course, error_curves
from memorize_jax.studies.study import Study

MARKS = ("v", "^", "o", "s")
END = "end of training"
# Curves are of the epochs that all seeds have.
SHORTEST = "last epoch of all seeds"


@drawn()
def draw_epochwise(study: Study) -> Drawing:
    """Draws the smoothed mean of the test error over seeds, thin behind it the mean of single epochs, and its turns."""
    groups = list(study.tables["metrics"].groupby("permuted_fraction"))
    figure, axis = subplots(figsize=(7.2, 5.0))
    last = 0
    for index, (fraction, own) in enumerate(groups):
        curves, color = error_curves(own), shade(index, len(groups))
        found, epochs = course(curves.to_numpy()), curves.columns
        axis.plot(epochs, 100 * curves.mean(), color=color, linewidth=0.5, alpha=0.5)
        axis.plot(epochs, 100 * found.errors, color=color, label=f"{100 * fraction:g} % permuted")
        last = max(last, len(epochs) - 1)
        turns = (found.minimum, found.peak, found.low, len(epochs) - 1)
        for turn, marker in zip(turns, MARKS, strict=True):
            if turn is not None:
                axis.plot(turn, 100 * found.errors[turn], marker, color=color, markersize=5)
    names = ("first minimum", "peak", "lowest after it", SHORTEST if _ends_differ(study.tables["metrics"]) else END)
    for text, marker in zip(names, MARKS, strict=True):
        axis.plot([], [], marker, color="#555555", markersize=5, label=text)
    epoch_axis(axis, last)
    axis.set_ylabel("test error (%)")
    legend_below(figure, [axis], 4)
    fewest = min(own["seed"].nunique() for _, own in groups)
    seeds = mean_note(study, fewest) or f"one seed ({study.seeds[0]})"
    heading(figure, subject(study), f"{seeds}; thick: mean over the epochs from e / 1.25 to 1.25 e")
    return figure


def _ends_differ(metrics):
    """Whether some seed of a fraction was trained further than another."""
    ends = metrics.groupby(["permuted_fraction", "seed"])["epoch"].max()
    return bool((ends.groupby("permuted_fraction").nunique() > 1).any())


def also_varying(study: Study) -> list[str]:
    """Fields besides the fraction in which the runs of a study differ."""
    metrics = study.tables["metrics"]
    return [name for name in study.axes if name != "permuted_fraction" and metrics[name].nunique() > 1]


def _obstacle(study: Study) -> str:
    if study.tables["metrics"]["permuted_fraction"].nunique() < 2:
        return instead("permuted_fraction")
    others = ", ".join(also_varying(study))
    return f"the runs differ also in {others}; make a sweep over fractions alone" if others else ""


FIGURES = (
    Figure(
        "epochwise",
        "Test error over epochs, by share of permuted labels",
        "Stephenson and Lee (2021) say that test error descends twice over epochs only where there is enough label "
        "noise, and that with much noise the first minimum stays the best: the end of training lies above it. Moves of "
        "less than two points are taken for noise; where a curve has no second descent, its lowest point and its end "
        "are marked. Not in the paper.",
        ("metrics",),
        draw_epochwise,
        _obstacle,
        ("permuted_fraction",),
    ),
)
