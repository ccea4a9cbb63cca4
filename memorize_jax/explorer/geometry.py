"""The parts of the moving picture that show geometry: a map of layers by epoch, curves by layer, small maps of runs."""

from typing import Any

from memorize_jax.explorer import encodings as enc
from memorize_jax.explorer.explored import UNIT, Explored
from memorize_jax.explorer.layout import LEFT, Layout
from memorize_jax.explorer.rows import GROUPS

# The chosen measure; places without it are not shown.
VALUE = {"value": "datum[measure]", "error": "datum[measure + '_error']"}
IN_BOUNDS = f"(measure === 'joint' || measure === 'mean_field') && indexof(titles[measure], '{UNIT}') > 0"
# The joint capacity of some places is known only as an upper bound.
IS_UPPER = "measure === 'joint' && datum.bound"
BRIGHT = f"({IN_BOUNDS} && group === 'permuted' ? ' (bright: memorized)' : '')"


def map_of_layers(alt: Any, explored: Explored, layout: Layout) -> Any:
    """The chosen measure of the chosen group by layer and epoch."""
    rows = _values(alt).transform_filter(enc.OF_RUN).transform_filter("datum.group === group")
    x, y = enc.epochs(alt, explored, title="epoch"), enc.layers(alt, list(explored.layers))
    parts = enc.cells(alt, rows, x, y, enc.shade(alt, "viridis", layout), _tooltip(alt))
    parts.append(_upper(rows, color="#fff").encode(x=alt.X("epoch:Q"), y=y))
    title = enc.heading(alt, layout, "'Where and when: ' + group + ' examples'", f"titles[measure] + {BRIGHT}")
    return alt.layer(*parts, title=title, width=layout.along, height=layout.row * len(explored.layers))


def curves_by_layer(alt: Any, explored: Explored, layout: Layout) -> Any:
    """The four groups by layer at the chosen epoch, with their errors."""
    every = _values(alt).transform_filter(enc.OF_RUN)
    rows = every.transform_filter(enc.OF_STEP)
    half = "(isValid(datum.error) ? datum.error : 0)"
    rows = rows.transform_calculate(low=f"datum.value - {half}", high=f"datum.value + {half}")
    present = [group for group in GROUPS if group in set(explored.places["group"])]
    y = enc.layers(alt, list(explored.layers))
    x = alt.X("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(grid=True, tickCount=5))
    color = enc.by_group(alt, "Color", present, enc.COLORS)
    dash = enc.by_group(alt, "StrokeDash", present, enc.DASHES)
    lines = rows.mark_line(tooltip=None).encode(x=x, y=y, color=color, strokeDash=dash, order="layer_number:Q")
    bars = rows.mark_rule(strokeWidth=1.5, tooltip=None)
    points = rows.mark_point(filled=True, opacity=1, cursor="pointer").encode(
        x=x,
        y=y,
        color=color,
        shape=enc.by_group(alt, "Shape", present, enc.SHAPES),
        size=alt.condition(enc.IS_CHOSEN, alt.value(170), alt.value(60)),
        tooltip=_tooltip(alt),
    )
    look = {"strokeDash": [8, 4], "color": "#808080", "opacity": alt.expr(f"{IN_BOUNDS} ? 1 : 0"), "tooltip": None}
    # The axis stays as it is while the slider moves: it reaches over all epochs.
    ends = every.transform_aggregate(least="min(value)", most="max(value)").mark_rule(opacity=0, tooltip=None)
    reach = ends.encode(x=alt.X("least:Q"), x2="most:Q")
    once = alt.Chart(alt.NamedData(name="steps")).transform_filter(enc.OF_RUN).transform_filter(enc.OF_STEP)
    bound = once.mark_rule(**look).encode(x=alt.XDatum(1))
    row = alt.Chart(alt.NamedData(name="rows")).transform_filter(enc.IS_CHOSEN)
    chosen = row.mark_rule(color=enc.MARK, strokeWidth=1, tooltip=None).encode(y=y)
    title = enc.heading(alt, layout, f"'All groups at epoch ' + {enc.EPOCH}", "titles[measure]")
    errors = bars.encode(x=alt.X("low:Q"), x2="high:Q", y=y, color=color)
    upper = _upper(rows, dy=-8, color="#808080").encode(x=x, y=y)
    size = {"width": layout.beside, "height": layout.row * len(explored.layers)}
    return alt.layer(bound, reach, chosen, lines, errors, points, upper, title=title, **size)


def small_maps(alt: Any, explored: Explored, layout: Layout) -> Any:
    """The map of every run, small."""
    rows = _values(alt).transform_filter("datum.group === group")
    wide = (layout.width - LEFT - 60) // layout.columns - 14
    x = enc.epochs(alt, explored, title=None, labels=False)
    y = enc.layers(alt, list(explored.layers), labels=False)
    cells = rows.mark_rect(cursor="pointer").encode(
        x=x, x2="end:Q", y=y, color=enc.shade(alt, "viridis", layout), tooltip=[alt.Tooltip("run:N"), *_tooltip(alt)]
    )
    header = alt.Header(labelLimit=wide, labelAnchor="start", labelOrient="top")
    # Altair takes the name of a part for that of its parameters.
    small = cells.properties(name="small_maps", width=wide, height=max(40, 8 * len(explored.layers)))
    return small.facet(
        facet=alt.Facet("run:N", sort=list(explored.runs), title=None, header=header),
        columns=layout.columns,
        spacing=10,
        title=enc.heading(alt, layout, "'All runs, to choose from: ' + group + ' examples'", "titles[measure]"),
    )


def _upper(rows: Any, **look) -> Any:
    """A sign at values that are upper bounds."""
    return rows.transform_filter(IS_UPPER).mark_text(text="<", fontSize=10, tooltip=None, **look)


def _values(alt: Any) -> Any:
    places = alt.Chart(alt.NamedData(name="places"))
    return places.transform_calculate(**VALUE).transform_filter("isValid(datum.value)")


def _tooltip(alt: Any) -> list:
    return [
        alt.Tooltip("layer:N"),
        alt.Tooltip("epoch:Q"),
        alt.Tooltip("group:N"),
        alt.Tooltip("value:Q", format=".4~g", title="value"),
        alt.Tooltip("error:Q", format=".2~g", title="±"),
        alt.Tooltip("K:N", title="K (directions removed)"),
        alt.Tooltip("seeds:N", title="seeds"),
        alt.Tooltip("status:N"),
    ]
