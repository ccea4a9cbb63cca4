"""Memorization of every training example, and what cheap scores say of it."""

import numpy as np

from memorize_jax.figures.curves import first_seed_note, heading, subject
from memorize_jax.figures.figure import Figure
from memorize_jax.figures.style import COLORS, DASHES, Drawing, drawn, subplots
from memorize_jax.measurements.scores.correlations import CHEAP_SCORES, rank_correlations
from memorize_jax.studies.study import Study

BINS = np.linspace(-0.2, 1, 25)
# Label of the axis of a cheap score.
AXES = {
    "cumulative_loss": "cumulative loss (nats, log scale)",
    "aum": "area under the margin (logits)",
    "prediction_depth_final": "prediction depth, final epoch (layer)",
}


def _parts(table):
    """Group -> its rows; permuted examples that kept their own label are in neither group."""
    wrong = table["assigned"] != table["true"]
    parts = {"unpermuted": table[table["is_permuted"] == 0], "permuted": table[wrong]}
    return {name: own for name, own in parts.items() if len(own)}


@drawn()
def draw_memorization(study: Study) -> Drawing:
    """Draws histograms of memorization, of examples with their own labels and of those with wrong ones; first seed."""
    table = study.tables["memorization_scores"]
    table = table[(table["seed"] == study.seeds[0])].dropna(subset=["memorization"])
    figure, axis = subplots(figsize=(6.2, 3.8))
    for group, own in _parts(table).items():
        named = {"unpermuted": "unpermuted", "permuted": "permuted, with a wrong label"}[group]
        share = np.full(len(own), 100 / len(own))
        style = {"color": COLORS[group], "linestyle": DASHES[group], "linewidth": 1.8}
        values = np.clip(own["memorization"], BINS[0], BINS[-1])
        axis.hist(values, BINS, weights=share, histtype="stepfilled", alpha=0.2, color=COLORS[group])
        axis.hist(values, BINS, weights=share, histtype="step", label=f"{named} ({len(own)})", **style)
    axis.set_xlabel("memorization: accuracy with the example in training minus without")
    axis.set_ylabel("share of the group (%)")
    axis.legend(loc="upper center", frameon=False)
    heading(figure, subject(study), _networks_note(study), first_seed_note(study))
    return figure


@drawn()
def draw_cheap_scores(study: Study) -> Drawing:
    """Draws memorization against scores that one run gives, an example a point; first seed."""
    tables = [study.tables[name] for name in ("memorization_scores", "per_example")]
    scores, per_example = (table[table["seed"] == study.seeds[0]] for table in tables)
    correlations = rank_correlations(scores, per_example)
    both = scores.merge(per_example[["example", *AXES]], on="example")
    figure, axes = subplots(1, len(AXES), figsize=(3.3 * len(AXES), 3.4), sharey=True)
    for axis, (name, label) in zip(axes, AXES.items(), strict=True):
        for group, own in _parts(both).items():
            style = {"color": COLORS[group], "marker": {"unpermuted": "o", "permuted": "s"}[group]}
            axis.scatter(own[name], own["memorization"], s=7, alpha=0.4, linewidth=0, label=group, **style)
        if name == "cumulative_loss":
            axis.set_xscale("log")
        axis.set_xlabel(label, fontsize=9)
        axis.set_title(f"rank correlation {correlations[name]:+.2f}", fontsize=9)
    axes[0].set_ylabel("memorization")
    axes[0].legend(loc="best", frameon=False, fontsize=8, markerscale=2)
    heading(figure, subject(study), _networks_note(study), first_seed_note(study))
    return figure


def _networks_note(study):
    runs = study.tables["subset_runs"]
    runs = runs[runs["seed"] == study.seeds[0]]
    fitted = runs["subset_accuracy"].mean()
    return f"{len(runs)} networks, each trained on a part of the examples, of which they fit {fitted:.1%}"


FIGURES = (
    Figure(
        "memorization_scores",
        "How much every training example is memorized",
        "An example is memorized, 1, if networks get its label right only when they were trained on it, and not, 0, if "
        "they get it right without it as well (Feldman and Zhang 2020). Wrong labels can only be memorized; "
        "unpermuted examples far to the right are rare or hard ones.",
        ("subset_runs", "memorization_scores"),
        draw_memorization,
    ),
    Figure(
        "memorization_cheap_scores",
        "What one run says of memorization",
        "Memorization, which takes many networks, against three scores of a single run. A rank correlation near 1 "
        "means that the cheap score orders the examples alike; its sign is such that more stands for more "
        f"memorization. The table compares {', '.join(CHEAP_SCORES)}.",
        ("subset_runs", "memorization_scores", "per_example"),
        draw_cheap_scores,
    ),
)
