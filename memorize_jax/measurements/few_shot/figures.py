"""Error of few-shot learning by layer, simulated and predicted (no figure of the paper)."""

from memorize_jax.epochs import STAGES
from memorize_jax.figures.bound import examples_note
from memorize_jax.figures.curves import draw_mean, epoch_range, epochs_note, fewest_seeds, heading, seeds_note, subject
from memorize_jax.figures.figure import Figure, not_measured
from memorize_jax.figures.style import Drawing, drawn, group_style, groups_in, layer_axis, legend_below, subplots
from memorize_jax.studies.study import Study

LEVEL = 0.95
FADED = "faded: predicted"


@drawn()
def draw_errors(study: Study) -> Drawing:
    """Draws the simulated error by layer, a curve per group, and the predicted one faded: a row per number of shots."""
    table = study.tables["few_shot"]
    layers = table.sort_values("layer_number")["layer"].drop_duplicates().tolist()
    shots, groups = sorted(table["num_shots"].unique()), groups_in(table["group"])
    size = (9.6, 1.2 + 2.8 * len(shots))
    figure, axes = subplots(len(shots), len(STAGES), figsize=size, sharex=True, sharey="row", squeeze=False)
    fewest = len(study.seeds)
    for right, stage in enumerate(STAGES):
        rows = study.at_stage("few_shot", stage)
        fewest = min(fewest, fewest_seeds(rows, ("group", "layer", "num_shots"), ("simulated", "predicted_full")))
        for below, number in enumerate(shots):
            axis, own = axes[below][right], rows[rows["num_shots"] == number]
            for index, group in enumerate(groups):
                behind = {"alpha": 0.35, "linewidth": 2.5, "label": None if index else FADED}
                for column, style, band in (("predicted_full", behind, False), ("simulated", {}, True)):
                    wide = own[own["group"] == group].pivot(index="seed", columns="layer", values=column)
                    look = group_style(group, markers=band) | style
                    places, wide = range(len(layers)), wide.reindex(columns=layers)
                    draw_mean(axis, places, wide, level=LEVEL, band=band, scale=100, **look)
            axis.set_title(f"{_examples(number)}, {stage} epoch", fontsize=9)
            axis.axhline(50, color="#777777", linewidth=1, linestyle=(0, (1, 2)), label="chance")
            axis.set_ylim(bottom=0)
    for row in axes:
        row[0].set_ylabel("error between two classes (%)")
    for axis in axes[-1]:
        layer_axis(axis, layers)
    legend_below(figure, [axes[0][0]], 6, last=FADED)
    counts = f"{epoch_range(table['examples_per_class'])} examples per class"
    epochs = ", ".join(epochs_note(study, stage) for stage in STAGES)
    heading(figure, f"{epochs}, {counts}: {subject(study)}", seeds_note(study, LEVEL, fewest))
    return figure


def _examples(number):
    return f"{number} example{'s' if number != 1 else ''} of each class"


def _obstacle(study: Study) -> str:
    ask = "--few_shot_epochs=best,final"
    return next(filter(None, (not_measured(study, "few_shot", study.epochs_of(stage), ask) for stage in STAGES)), "")


def _remark(study: Study) -> str:
    count = examples_note(study.tables["few_shot"])
    return (
        f"Near chance the prediction is too low: with {count} examples of a class, any two centers lie apart by 2/M of "
        "the squared radius, whatever the labels mean."
    )


FIGURES = (
    Figure(
        "few_shot",
        "Error with one or a few examples of each class, by layer",
        "A new example goes to the class whose few known examples have the nearer mean; the error is a mean over all "
        "pairs of classes. At the best epoch, does it fall with depth for true labels, and are permuted examples at "
        "chance in every layer? If late layers memorize, it is lower there at the final epoch for permuted examples, "
        "and higher for restored ones, the same examples under their true labels. Faded is what the geometry of the "
        "classes predicts, after Sorscher et al. (2022). Not in the paper.",
        ("metrics", "few_shot"),
        draw_errors,
        _obstacle,
        remark=_remark,
    ),
)
