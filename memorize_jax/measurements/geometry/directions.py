"""In how many directions the points of layers vary (no figure of the paper)."""

import numpy as np

from memorize_jax.epochs import STAGES
from memorize_jax.figures.bound import examples_note
from memorize_jax.figures.curves import draw_mean, epochs_note, fewest_seeds, heading, seeds_note, subject
from memorize_jax.figures.figure import Figure, not_measured
from memorize_jax.figures.style import Drawing, drawn, group_style, groups_in, layer_axis, legend_below, subplots
from memorize_jax.statistics import LEVEL
from memorize_jax.studies.study import Study

# Column -> whose points these are.
COLUMNS = {
    "participation_ratio_corrected": "of all points of a group",
    "class_participation_ratio_corrected": "of one class, mean over classes",
}


@drawn()
def draw_directions(study: Study) -> Drawing:
    """Draws the corrected participation ratio of each group by layer: a row for all points, one for single classes."""
    table = study.tables["geometry"]
    layers = table.sort_values("layer_number").drop_duplicates("layer")["layer"].tolist()
    figure, axes = subplots(2, 2, figsize=(9.6, 6.8), sharex=True, sharey="row")
    for row, (column, whose) in zip(axes, COLUMNS.items(), strict=True):
        for axis, stage in zip(row, STAGES, strict=True):
            rows = study.at_stage("geometry", stage)
            for group in groups_in(rows["group"]):
                own = rows[rows["group"] == group]
                values = own.pivot(index="seed", columns="layer", values=column).reindex(columns=layers)
                draw_mean(axis, np.arange(len(layers)), values, level=LEVEL, **group_style(group))
            axis.set_title(f"{epochs_note(study, stage)}, {whose}", fontsize=10)
            axis.set_ylim(bottom=0)
        row[0].set_ylabel("participation ratio (directions)")
    for axis in axes[-1]:
        layer_axis(axis, layers)
    legend_below(figure, axes[0][:1], 4)
    stages = [study.at_stage("geometry", stage) for stage in STAGES]
    fewest = min(fewest_seeds(rows, ("group", "layer"), tuple(COLUMNS)) for rows in stages)
    heading(figure, f"{subject(study)}, {examples_note(table)}", seeds_note(study, LEVEL, fewest))
    return figure


def _obstacle(study: Study) -> str:
    if study.tables["geometry"][list(COLUMNS)].isna().all(axis=None):
        return f"the table geometry has no participation ratios; measure them with: {study.command('geometry')}"
    lacking = (not_measured(study, "geometry", study.epochs_of(s), "--geometry_epochs=best,final") for s in STAGES)
    return next(filter(None, lacking), "")


FIGURES_OF_DIRECTIONS = (
    Figure(
        "participation",
        "In how many directions layers vary",
        "The participation ratio counts the directions that points vary in, corrected for how few points there are: "
        "unlike the dimension of figure 3 it may be compared between studies with other numbers of examples. Top: of "
        "all examples of a group together; bottom: within one class. A permuted class has examples of all true "
        "classes, so in early layers it varies in about as many directions as the whole data. Does it come down to the "
        "numbers of the other groups in the layers that memorize? Not in the paper.",
        ("metrics", "geometry"),
        draw_directions,
        _obstacle,
    ),
)
