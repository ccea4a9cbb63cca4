"""Example images with their labels (figure 1A)."""

from typing import Any

from memorize_jax.figures.curves import first_seed_note, heading, subject
from memorize_jax.figures.figure import Figure
from memorize_jax.figures.images import decode_image, show_image
from memorize_jax.figures.style import COLORS, Drawing, drawn, subplots
from memorize_jax.studies.study import Study

# Row of the figure -> (group in the table, column of the labels it is analyzed under).
ROWS = {"unpermuted": ("unpermuted", "true"), "permuted": ("permuted", "assigned"), "restored": ("permuted", "true")}


@drawn()
def draw_examples(study: Study) -> Drawing:
    """Draws figure 1A: images with the label they were trained on and the one they are analyzed under; one seed."""
    table = study.tables["examples"]
    table = table[table["seed"] == study.seeds[0]]
    rows = {name: table[table["group"] == group] for name, (group, _) in ROWS.items()}
    rows = {name: own for name, own in rows.items() if len(own)}
    columns = max(map(len, rows.values()))
    # The same scale for all shows which are faint.
    brightest = max(decode_image(row).max() for row in table.itertuples())
    figure, axes = subplots(len(rows), columns, figsize=(1.15 * columns + 1.2, 1.55 * len(rows) + 0.3), squeeze=False)
    layout: Any = figure.get_layout_engine()
    layout.set(h_pad=0.08)
    for axis in axes.flat:
        axis.set_axis_off()
    for own_axes, (name, own) in zip(axes, rows.items(), strict=True):
        label = ROWS[name][1]
        for axis, row in zip(own_axes, own.itertuples(), strict=False):
            show_image(axis, decode_image(row), brightest)
            changed = row.true != row.assigned
            text = f"trained: {row.assigned}\nanalyzed: {getattr(row, label)}"
            # What was changed is bold as well as colored.
            weight = {"color": COLORS[name], "fontweight": "bold" if changed else "normal"}
            axis.set_title(text, fontsize=8, **weight)
        # An axis that is off has no label of its own.
        place = {"transform": own_axes[0].transAxes, "rotation": 90, "ha": "right", "va": "center"}
        own_axes[0].text(-0.15, 0.5, name, color=COLORS[name], fontsize=10, **place)
    heading(figure, subject(study), first_seed_note(study))
    return figure


def _obstacle(study: Study) -> str:
    return "its examples are points, not images" if study.dataset.startswith("spheres") else ""


FIGURES = (
    Figure(
        "fig1a",
        "Examples and their labels",
        "Numbers are classes: the one a training image was trained as, and the one it is analyzed under. Permuted and "
        "restored examples are the same images and differ in the latter only; in bold, images that were trained under "
        "a wrong label. By chance some permuted examples keep their own.",
        ("examples",),
        draw_examples,
        _obstacle,
    ),
)
