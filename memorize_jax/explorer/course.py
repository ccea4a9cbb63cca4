"""The parts of the moving picture that show accuracies: the course of training, and rewinding."""

from typing import Any

from memorize_jax.explorer import encodings as enc
from memorize_jax.explorer.explored import Explored
from memorize_jax.explorer.layout import LEFT, Layout
from memorize_jax.explorer.rows import ACCURACIES, REWOUND

BAR, CHOSEN_BAR = "#4c8c74", "#9c5c86"


def training(alt: Any, explored: Explored, layout: Layout) -> Any:
    """Accuracies by epoch, with a line at the chosen one."""
    rows = alt.Chart(alt.NamedData(name="training")).transform_filter(enc.OF_RUN)
    present = [group for group in ACCURACIES if explored.training[group].notna().any()]
    folded = rows.transform_fold(present, as_=["group", "accuracy"]).transform_filter("isValid(datum.accuracy)")
    axis, legend = alt.Axis(minExtent=LEFT, maxExtent=LEFT, tickCount=4, title=None), enc.legend_of_groups(alt, layout)
    lines = folded.mark_line(strokeWidth=2, tooltip=None).encode(
        x=enc.epochs(alt, explored, title="epoch", field="epoch:Q"),
        y=alt.Y("accuracy:Q", scale=alt.Scale(domain=[0, 100]), axis=axis),
        color=enc.by_group(alt, "Color", present, enc.COLORS, legend),
        strokeDash=enc.by_group(alt, "StrokeDash", present, enc.DASHES, legend),
    )
    # Strips that are not seen take the pointer: a line is hard to hit.
    strips = rows.mark_rect(opacity=0, cursor="pointer").encode(
        x=enc.epochs(alt, explored, title="epoch"),
        x2="end:Q",
        y=alt.value(0),
        y2=alt.value(layout.low),
        tooltip=[alt.Tooltip("epoch:Q"), *_accuracies(alt, present)],
    )
    size = {"width": layout.along, "height": layout.low}
    return alt.layer(
        lines, enc.cursor(alt), strips, title=enc.heading(alt, layout, "'Training: accuracy (%) by epoch'"), **size
    )


def rewinding(alt: Any, explored: Explored, layout: Layout) -> Any:
    """Accuracy of the final network with one layer put back to an earlier epoch, by layer and that epoch."""
    rows = alt.Chart(alt.NamedData(name="rewinding")).transform_filter(enc.OF_RUN)
    rows = rows.transform_calculate(value="datum[rewound]").transform_filter("isValid(datum.value)")
    names = list(explored.rewinding.sort_values("layer_number")["layer"].unique())
    height, y = layout.row * len(names), enc.layers(alt, names)
    tips = [alt.Tooltip("layer:N", title="layer put back"), alt.Tooltip("epoch:Q", title="to epoch")]
    tips += _accuracies(alt, REWOUND)
    along = enc.epochs(alt, explored, title="epoch that the layer is put back to")
    parts = enc.cells(alt, rows, along, y, enc.shade(alt, "cividis", layout), tips)
    title = enc.heading(alt, layout, "'Rewinding: one layer of the final network put back'", "rewound + ' accuracy, %'")
    left = alt.layer(*parts, title=title, width=layout.along, height=height)

    # Epochs that are equally good have bars on top of each other, not one behind the other.
    x = alt.X("value:Q", scale=alt.Scale(domain=[0, 100]), title=None, axis=alt.Axis(tickCount=5), stack=None)
    best = rows.transform_joinaggregate(best="max(value)", groupby=["layer"])
    bars = best.transform_filter("datum.value === datum.best").mark_bar(cursor="pointer", height={"band": 0.7})
    color = alt.condition(enc.IS_CHOSEN, alt.value(CHOSEN_BAR), alt.value(BAR))
    at = rows.transform_filter(enc.OF_STEP).mark_tick(color=enc.MARK, thickness=3, size=0.7 * layout.row, tooltip=None)
    layers = bars.encode(x=x, y=y, color=color, tooltip=tips), at.encode(x=x, y=y)
    title = enc.heading(
        alt, layout, f"'Put back to its best epoch; line: to epoch ' + {enc.EPOCH}", "rewound + ' accuracy, %'"
    )
    right = alt.layer(*layers, title=title, width=layout.beside, height=height)
    return enc.beside(alt, left, right, layout)


def _accuracies(alt: Any, groups) -> list:
    return [alt.Tooltip(f"{group}:Q", format=".1f", title=f"{group}, %") for group in groups]
