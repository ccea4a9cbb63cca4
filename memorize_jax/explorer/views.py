"""The parts of the moving picture: a map of layers by epoch, curves by layer, training, rewinding, small maps."""

from typing import Any

from memorize_jax.explorer.explored import ACCURACIES, GROUPS, Explored
from memorize_jax.explorer.layout import LEFT, Layout
from memorize_jax.figures import style

# Gray that is seen on light and on dark.
COLORS = {**style.COLORS, "train": "#808080"}
SHAPES = {"unpermuted": "circle", "permuted": "square", "restored": "triangle-up", "test": "diamond", "train": "stroke"}
DASHES = {"unpermuted": [1, 0], "permuted": [5, 2], "restored": [6, 2, 1, 2], "test": [2, 2], "train": [1, 0]}
BAR = "#4c8c74"
# The mark of the chosen epoch and layer; seen on light and on dark.
MARK = "#e0218a"
APART = {"color": "independent", "shape": "independent", "strokeDash": "independent"}
OF_RUN = "datum.run === run"
# Shown as a cell where the chosen measure has a value.
VALUE = {"value": "datum[measure]", "error": "datum[measure + '_error']"}
BOUNDED = "(measure === 'joint' || measure === 'mean_field') && indexof(titles[measure], '2/M') > 0"


def _values(alt: Any) -> Any:
    return alt.Chart(alt.NamedData(name="places")).transform_calculate(**VALUE).transform_filter("isValid(datum.value)")


def _epochs(alt: Any, explored: Explored, *, title: str | None, field: str = "start:Q", labels: bool = True) -> Any:
    low = float(min(explored.places["start"].min(), explored.training["start"].min()))
    high = float(max(explored.places["end"].max(), explored.training["end"].max()))
    ticks = [0, *(step * 10**power for power in range(7) for step in (1, 3) if step * 10**power < high)]
    scale = alt.Scale(type="symlog", constant=1, domain=[low, high], nice=False, zero=False)
    axis = alt.Axis(values=ticks, format="d", grid=False, labelBound=True) if labels else None
    return alt.X(field, scale=scale, title=title, axis=axis)


def _layers(alt: Any, explored: Explored) -> Any:
    axis = alt.Axis(minExtent=LEFT, maxExtent=LEFT, labelLimit=LEFT - 6, title=None)
    return alt.Y("layer:N", sort=list(explored.layers), axis=axis, scale=alt.Scale(domain=list(explored.layers)))


def _legend(alt: Any, layout: Layout, kind: str = "symbol") -> Any:
    kind = {"type": kind} | ({"gradientLength": 160 if layout.is_stacked else 110} if kind == "gradient" else {})
    if layout.is_stacked:
        return alt.Legend(title=None, orient="bottom", direction="horizontal", columns=3, **kind)
    return alt.Legend(title=None, orient="right", **kind)


def _title(alt: Any, text: str) -> Any:
    return alt.Title(alt.expr(text), anchor="start", frame="group", fontSize=12, fontWeight="bold", offset=6)


def _cursor(alt: Any) -> Any:
    """The chosen epoch, as a line."""
    rows = alt.Chart(alt.NamedData(name="steps")).transform_filter("datum.step_at === step")
    return rows.mark_rule(color=MARK, strokeWidth=2, tooltip=None).encode(x=alt.X("epoch:Q"))


def _colors(alt: Any, scheme: str, layout: Layout) -> Any:
    return alt.Color("value:Q", scale=alt.Scale(scheme=scheme, zero=False), legend=_legend(alt, layout, "gradient"))


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


def map_of_layers(alt: Any, explored: Explored, layout: Layout) -> Any:
    """The chosen measure of the chosen group by layer and epoch."""
    rows = _values(alt).transform_filter(OF_RUN).transform_filter("datum.group === group")
    x, y = _epochs(alt, explored, title="epoch"), _layers(alt, explored)
    color = _colors(alt, "viridis", layout)
    cells = rows.mark_rect(cursor="pointer").encode(x=x, x2="end:Q", y=y, color=color, tooltip=_tooltip(alt))
    chosen = (
        rows.transform_filter("datum.layer === layer")
        .mark_rect(fill=None, stroke=MARK, strokeWidth=2, tooltip=None)
        .encode(x=x, x2="end:Q", y=y)
    )
    bright = f"({BOUNDED} && group === 'permuted' ? ' (bright: memorized)' : '')"
    title = _title(alt, f"['Where and when: ' + group + ' examples', titles[measure] + {bright}]")
    return alt.layer(cells, chosen, _cursor(alt)).properties(
        title=title, width=layout.along, height=layout.row * len(explored.layers)
    )


def curves_by_layer(alt: Any, explored: Explored, layout: Layout) -> Any:
    """The four groups by layer at the chosen epoch, with their errors."""
    at = "datum.first <= step && step <= datum.last"
    rows = _values(alt).transform_filter(OF_RUN).transform_filter(at)
    rows = rows.transform_calculate(low="datum.value - datum.error", high="datum.value + datum.error")
    y = _layers(alt, explored)
    x = alt.X("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(grid=True, tickCount=5))
    present = [group for group in GROUPS if group in set(explored.places["group"])]
    color = alt.Color("group:N", scale=_group_scale(alt, present, COLORS), legend=None)
    shape = alt.Shape("group:N", scale=_group_scale(alt, present, SHAPES), legend=None)
    dash = alt.StrokeDash("group:N", scale=_group_scale(alt, present, DASHES), legend=None)
    lines = rows.mark_line(tooltip=None).encode(x=x, y=y, color=color, strokeDash=dash, order="layer_number:Q")
    bars = (
        rows.transform_filter("isValid(datum.error)")
        .mark_rule(strokeWidth=1.5, tooltip=None)
        .encode(x=alt.X("low:Q"), x2="high:Q", y=y, color=color)
    )
    points = rows.mark_point(filled=True, opacity=1, cursor="pointer").encode(
        x=x,
        y=y,
        color=color,
        shape=shape,
        size=alt.condition("datum.layer === layer", alt.value(170), alt.value(60)),
        tooltip=_tooltip(alt),
    )
    bound = (
        alt.Chart(alt.InlineData(values=[{}]))
        .mark_rule(strokeDash=[8, 4], color="#808080", opacity=alt.expr(f"{BOUNDED} ? 1 : 0"), tooltip=None)
        .encode(x=alt.XDatum(1))
    )
    marked = (
        alt.Chart(alt.NamedData(name="rows"))
        .transform_filter("datum.layer === layer")
        .mark_rule(color=MARK, strokeWidth=1, tooltip=None)
        .encode(y=y)
    )
    title = _title(alt, "['All groups at epoch ' + epochs[step], titles[measure]]")
    return alt.layer(bound, marked, lines, bars, points).properties(
        title=title, width=layout.beside, height=layout.row * len(explored.layers)
    )


def training(alt: Any, explored: Explored, layout: Layout) -> Any:
    """Accuracies by epoch, with a line at the chosen one."""
    rows = alt.Chart(alt.NamedData(name="training")).transform_filter(OF_RUN)
    present = [group for group in ACCURACIES if explored.training[group].notna().any()]
    folded = rows.transform_fold(present, as_=["group", "accuracy"]).transform_filter("isValid(datum.accuracy)")
    x = _epochs(alt, explored, title="epoch")
    axis = alt.Axis(minExtent=LEFT, maxExtent=LEFT, tickCount=4, title=None)
    y = alt.Y("accuracy:Q", scale=alt.Scale(domain=[0, 100]), axis=axis)
    legend = _legend(alt, layout)
    lines = folded.mark_line(strokeWidth=2, tooltip=None).encode(
        x=_epochs(alt, explored, title="epoch", field="epoch:Q"),
        y=y,
        color=alt.Color("group:N", scale=_group_scale(alt, present, COLORS), legend=legend),
        strokeDash=alt.StrokeDash("group:N", scale=_group_scale(alt, present, DASHES), legend=legend),
    )
    tips = [
        alt.Tooltip("epoch:Q"),
        *(alt.Tooltip(f"{group}:Q", format=".1f", title=f"{group}, %") for group in present),
    ]
    hover = rows.mark_rect(opacity=0, cursor="pointer").encode(
        x=x, x2="end:Q", y=alt.value(0), y2=alt.value(layout.low), tooltip=tips
    )
    title = _title(alt, "'Training: accuracy (%) by epoch'")
    return alt.layer(lines, _cursor(alt), hover).properties(title=title, width=layout.along, height=layout.low)


def rewinding(alt: Any, explored: Explored, layout: Layout) -> Any:
    """Accuracy of the final network with one layer put back to an earlier epoch, by layer and that epoch."""
    rows = (
        alt.Chart(alt.NamedData(name="rewinding")).transform_filter(OF_RUN).transform_calculate(value="datum[rewound]")
    )
    rows = rows.transform_filter("isValid(datum.value)")
    layers = list(explored.rewinding.sort_values("layer_number")["layer"].unique())
    axis = alt.Axis(minExtent=LEFT, maxExtent=LEFT, labelLimit=LEFT - 6, title=None)
    x, y = _epochs(alt, explored, title="epoch that the layer is put back to"), alt.Y("layer:N", sort=layers, axis=axis)
    color = _colors(alt, "cividis", layout)
    tips = [
        alt.Tooltip("layer:N", title="layer put back"),
        alt.Tooltip("epoch:Q", title="to epoch"),
        *(alt.Tooltip(f"{group}:Q", format=".1f", title=f"{group}, %") for group in ("restored", "test", "permuted")),
    ]
    cells = rows.mark_rect(cursor="pointer").encode(x=x, x2="end:Q", y=y, color=color, tooltip=tips)
    chosen = (
        rows.transform_filter("datum.layer === layer")
        .mark_rect(fill=None, stroke=MARK, strokeWidth=2, tooltip=None)
        .encode(x=x, x2="end:Q", y=y)
    )
    title = _title(alt, "['Rewinding: one layer of the final network put back', rewound + ' accuracy, %']")
    height = layout.row * len(layers)
    left = alt.layer(cells, chosen, _cursor(alt)).properties(title=title, width=layout.along, height=height)
    x = alt.X("value:Q", scale=alt.Scale(domain=[0, 100]), title=None, axis=alt.Axis(tickCount=5))
    best = rows.transform_joinaggregate(best="max(value)", groupby=["layer"]).transform_filter(
        "datum.value === datum.best"
    )
    bars = best.mark_bar(cursor="pointer", height={"band": 0.7}).encode(
        x=x,
        y=y,
        color=alt.condition("datum.layer === layer", alt.value(MARK), alt.value(BAR)),
        tooltip=tips,
    )
    at = rows.transform_filter("datum.first <= step && step <= datum.last")
    ticks = at.mark_tick(color=MARK, thickness=3, size=0.7 * layout.row, tooltip=None).encode(x=x, y=y)
    title = _title(alt, "['Put back to its best epoch; line: to epoch ' + epochs[step], rewound + ' accuracy, %']")
    right = alt.layer(bars, ticks).properties(title=title, width=layout.beside, height=height)
    return beside(alt, left, right, layout)


def small_maps(alt: Any, explored: Explored, layout: Layout) -> Any:
    """The map of every run, small."""
    rows = _values(alt).transform_filter("datum.group === group")
    wide = (layout.width - LEFT - 40) // layout.columns - 20
    x = _epochs(alt, explored, title=None, labels=False)
    y = alt.Y("layer:N", sort=list(explored.layers), axis=None)
    color = _colors(alt, "viridis", layout)
    tips = [alt.Tooltip("run:N"), *_tooltip(alt)]
    cells = rows.mark_rect(cursor="pointer").encode(x=x, x2="end:Q", y=y, color=color, tooltip=tips)
    return cells.properties(width=wide, height=7 * len(explored.layers)).facet(
        facet=alt.Facet(
            "run:N", sort=list(explored.runs), title=None, header=alt.Header(labelLimit=wide, labelAnchor="start")
        ),
        columns=layout.columns,
        spacing=10,
        title=_title(alt, "['All runs: ' + group + ' examples', titles[measure]]"),
    )


def beside(alt: Any, left: Any, right: Any, layout: Layout) -> Any:
    """Two parts side by side, or one below the other; their colors mean different things."""
    both = alt.vconcat(left, right) if layout.is_stacked else alt.hconcat(left, right, spacing=12)
    return both.resolve_scale(**APART)


def _group_scale(alt: Any, groups: list[str], looks: dict) -> Any:
    return alt.Scale(domain=groups, range=[looks[group] for group in groups])
