"""Accuracy by epoch (figure 2A)."""

import numpy as np

from memorize_jax.figures.curves import by_seed, draw_mean, epoch_range, heading, seeds_note, subject
from memorize_jax.figures.figure import Figure, sentences
from memorize_jax.figures.style import Drawing, drawn, group_style, legend_below, mark_epochs, subplots
from memorize_jax.studies.study import Study

PANELS = (
    ("assigned labels, and test", ("train", "test")),
    ("training examples by group", ("unpermuted", "permuted", "restored")),
)
LEVEL = 0.95
# Curves of more seeds than this would only fill the band.
MOST_THIN = 5


@drawn()
def draw_training(study: Study) -> Drawing:
    """Draws figure 2A: accuracy by epoch, on train and test and on the groups.

    Means over seeds end with the shortest run; the curve of each seed, of a few, is drawn to its end, thin.
    """
    metrics = study.tables["metrics"]
    best, final = (float(np.mean(list(study.epochs_of(stage).values()))) for stage in ("best", "final"))
    fewest = len(study.seeds)
    figure, axes = subplots(1, 2, figsize=(9.6, 4.2), sharey=True)
    for axis, (title, groups) in zip(axes, PANELS, strict=True):
        for group in groups:
            column = f"{group}_accuracy"
            # Without permuted labels there are no permuted examples.
            if metrics[column].isna().all():
                continue
            wide = by_seed(metrics, "epoch", column)
            # A line of one point cannot be seen.
            style = group_style(group, markers=wide.shape[1] == 1)
            fewest = min(fewest, draw_mean(axis, wide.columns, wide, level=LEVEL, scale=100, **style))
            for _, own in metrics.groupby("seed") if 1 < len(study.seeds) <= MOST_THIN else ():
                axis.plot(own["epoch"], 100 * own[column], color=style["color"], linewidth=0.5, alpha=0.4)
        mark_epochs(axis, best, final, " (mean)" if len(study.seeds) > 1 else "")
        axis.set_xlabel("epoch")
        axis.set_title(title, fontsize=10, pad=16)
    axes[0].set_ylabel("accuracy (%)")
    axes[0].set_ylim(-3, 103)
    legend_below(figure, axes, 5)
    heading(figure, subject(study), seeds_note(study, LEVEL, fewest))
    return figure


def _remark(study: Study) -> str:
    finals, count = set(study.epochs_of("final").values()), len(study.seeds)
    ends = f"Seeds ended at different epochs ({epoch_range(finals)}): means and bands end where the first of them ends."
    thin = "Thin lines are single seeds."
    return sentences(ends if len(finals) > 1 else "", thin if 1 < count <= MOST_THIN else "")


FIGURES = (
    Figure(
        "fig2a",
        "Accuracy while training",
        "Left: in the paper accuracy on the assigned training labels goes to 100 %, and that on test images falls "
        "after its peak, the best epoch. Right: there permuted examples are first classified by their true label "
        "(restored rises), then by the label they were given (permuted rises, restored falls). Data without permuted "
        "labels have one group.",
        ("metrics",),
        draw_training,
        remark=_remark,
    ),
)
