"""What all parts of the moving picture have in common: axes, colors, the marks of what is chosen."""

from typing import Any

from memorize_jax.explorer.explored import Explored
from memorize_jax.explorer.layout import LEFT, Layout
from memorize_jax.figures import style

# Gray that is seen on light and on dark.
COLORS = {**style.COLORS, "train": "#808080"}
SHAPES = {"unpermuted": "circle", "permuted": "square", "restored": "triangle-up", "test": "diamond"}
DASHES = {"unpermuted": [1, 0], "permuted": [5, 2], "restored": [6, 2, 1, 2], "test": [2, 2], "train": [1, 0]}
# The mark of the chosen epoch and layer; seen on light and on dark.
MARK = "#e0218a"
OF_RUN = "datum.run === run"
OF_STEP = "datum.at === step"
# An expression: the chosen epoch.
EPOCH = "epochs[run][min(step, length(epochs[run]) - 1)]"
IS_CHOSEN = "datum.layer === layer"


def epochs(alt: Any, explored: Explored, *, title: str | None, field: str = "start:Q", labels: bool = True) -> Any:
    """The axis of epochs, the same in all parts."""
    low = float(min(explored.places["start"].min(), explored.training["start"].min()))
    high = float(max(explored.places["end"].max(), explored.training["end"].max()))
    ticks = [0, *(step * 10**power for power in range(7) for step in (1, 3) if step * 10**power < high)]
    scale = alt.Scale(type="symlog", constant=1, domain=[low, high], nice=False, zero=False)
    axis = alt.Axis(values=ticks, format="d", grid=False, labelBound=True) if labels else None
    return alt.X(field, scale=scale, title=title, axis=axis)


def layers(alt: Any, names: list[str], *, labels: bool = True) -> Any:
    """The axis of layers, the first on top."""
    axis = alt.Axis(minExtent=LEFT, maxExtent=LEFT, labelLimit=LEFT - 6, title=None) if labels else None
    return alt.Y("layer:N", sort=names, axis=axis, scale=alt.Scale(domain=names))


def shade(alt: Any, scheme: str, layout: Layout) -> Any:
    """The color of a cell, by its value."""
    legend = _place(alt, layout, type="gradient", gradientLength=160 if layout.is_stacked else 110)
    return alt.Color("value:Q", scale=alt.Scale(scheme=scheme, zero=False), legend=legend)


def by_group(alt: Any, channel: str, groups: list[str], looks: dict, legend: Any = None) -> Any:
    """A channel, "Color" or another, that tells groups apart."""
    scale = alt.Scale(domain=groups, range=[looks[group] for group in groups])
    return getattr(alt, channel)("group:N", scale=scale, legend=legend)


def legend_of_groups(alt: Any, layout: Layout) -> Any:
    """The legend of lines."""
    return _place(alt, layout, type="symbol")


def _place(alt: Any, layout: Layout, **options) -> Any:
    if layout.is_stacked:
        return alt.Legend(title=None, orient="bottom", direction="horizontal", columns=3, **options)
    return alt.Legend(title=None, orient="right", **options)


def heading(alt: Any, layout: Layout, *lines: str) -> Any:
    """The title of a part; lines are expressions of Vega."""
    text = alt.expr(f"[{', '.join(lines)}]")
    # On a phone it needs the room beside the plot too.
    look = {"frame": "bounds", "fontSize": 11} if layout.is_stacked else {"frame": "group", "fontSize": 12}
    return alt.Title(text, anchor="start", fontWeight="bold", offset=6, **look)


def cursor(alt: Any) -> Any:
    """The chosen epoch, as a line."""
    rows = alt.Chart(alt.NamedData(name="steps")).transform_filter(OF_RUN).transform_filter("datum.at === step")
    return rows.mark_rule(color=MARK, strokeWidth=2, tooltip=None).encode(x=alt.X("epoch:Q"))


def cells(alt: Any, rows: Any, x: Any, y: Any, color: Any, tips: list) -> list:
    """The cells of a map, a frame around the chosen layer, and the line of the chosen epoch."""
    all_cells = rows.mark_rect(cursor="pointer").encode(x=x, x2="end:Q", y=y, color=color, tooltip=tips)
    row = rows.transform_filter(IS_CHOSEN)
    row = row.transform_aggregate(start="min(start)", end="max(end)", groupby=["layer"])
    frame = row.mark_rect(fill=None, stroke=MARK, strokeWidth=2, tooltip=None)
    return [all_cells, frame.encode(x=x, x2="end:Q", y=y), cursor(alt)]


def beside(alt: Any, left: Any, right: Any, layout: Layout) -> Any:
    """Two parts side by side, or one below the other."""
    options = {"spacing": 12, "resolve": apart(alt)}
    return alt.vconcat(left, right, **options) if layout.is_stacked else alt.hconcat(left, right, **options)


def apart(alt: Any) -> Any:
    """Parts that stand side by side use colors, shapes and dashes for different things."""
    return alt.Resolve(scale=dict.fromkeys(("color", "shape", "strokeDash"), "independent"))
