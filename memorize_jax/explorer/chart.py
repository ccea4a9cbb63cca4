"""The moving picture as one chart: what happens at which layer and epoch, with everything linked."""

from typing import Any

import numpy as np
import pandas as pd

from memorize_jax.explorer.course import rewinding, training
from memorize_jax.explorer.encodings import apart, beside
from memorize_jax.explorer.explored import Explored
from memorize_jax.explorer.geometry import curves_by_layer, map_of_layers, small_maps
from memorize_jax.explorer.layout import LAYOUTS, Layout
from memorize_jax.explorer.rows import GROUPS, REWOUND
from memorize_jax.explorer.vega import altair

ALL = "all layers"


def chart(explored: Explored, *, layout: Layout = LAYOUTS[0], controls: bool = True) -> Any:
    """Makes the chart with its data; `controls`: whether it brings a slider and lists of its own, as in a notebook."""
    together = _together(altair(), explored, layout, controls=controls)
    together.datasets = datasets(explored)
    return together


def specification(explored: Explored, layout: Layout) -> dict:
    """The chart in Vega-Lite, without data and controls, for a page that brings them."""
    return _together(altair(), explored, layout, controls=False).to_dict(validate=False)


def _together(alt: Any, explored: Explored, layout: Layout, *, controls: bool) -> Any:
    left = map_of_layers(alt, explored, layout)
    right = curves_by_layer(alt, explored, layout)
    rows = [beside(alt, left, right, layout), training(alt, explored, layout)]
    if len(explored.rewinding):
        rows.append(rewinding(alt, explored, layout))
    if len(explored.runs) > 1:
        rows.append(small_maps(alt, explored, layout))
    # Altair's methods that add these copy the whole chart, which takes as long as making it.
    together = alt.vconcat(*rows, spacing=14, padding=2, resolve=apart(alt))
    together.params = [one.param for one in _params(alt, explored, controls)]
    return together


def datasets(explored: Explored) -> dict[str, list[dict]]:
    """Name -> rows, as the chart refers to them."""
    return {
        **{name: records(getattr(explored, name)) for name in ("places", "training", "rewinding")},
        "steps": [
            {"run": run, "at": step, "epoch": epoch}
            for run, epochs in explored.epochs.items()
            for step, epoch in enumerate(epochs)
        ],
        "rows": [{"layer": layer} for layer in explored.layers],
    }


def default_measure(explored: Explored) -> str:
    """The measure that is shown first: joint capacity where there is one."""
    return next(iter(explored.measures))


def choices(explored: Explored) -> dict[str, dict[str, str]]:
    """Name of a parameter -> value -> what it is called; the first is chosen. One with a single value is no choice."""
    found = {
        "run": {run: run for run in explored.runs},
        "measure": explored.measures,
        "group": {group: group for group in ("permuted", *(group for group in GROUPS if group != "permuted"))},
        "layer": {"": ALL, **{layer: layer for layer in explored.layers}},
        "rewound": {group: group for group in REWOUND} if len(explored.rewinding) else {"restored": "restored"},
    }
    present = set(explored.places["group"])
    found["group"] = {group: title for group, title in found["group"].items() if group in present}
    return found


def _params(alt: Any, explored: Explored, controls: bool) -> list:
    first, most = explored.epochs[explored.runs[0]], max(map(len, explored.epochs.values()))
    slider = alt.binding_range(min=0, max=most - 1, step=1, name="step ")
    params = [
        alt.param(name="step", value=len(first) - 1, **({"bind": slider} if controls and most > 1 else {})),
        alt.param(name="epochs", value=explored.epochs),
        alt.param(name="titles", value=explored.measures),
    ]
    for name, values in choices(explored).items():
        listed = alt.binding_select(options=list(values), labels=list(values.values()), name=f"{name} ")
        bind = {"bind": listed} if controls and len(values) > 1 else {}
        params.append(alt.param(name=name, value=next(iter(values)), **bind))
    return params


def records(table: pd.DataFrame) -> list[dict]:
    """The rows as JSON has them: numbers with four digits, nothing where there is no value."""
    rounded = table.copy()
    for name in rounded.select_dtypes("number"):
        rounded[name] = [_short(value) for value in rounded[name]]
    rows = rounded.astype(object).to_dict("records")
    return [{name: value for name, value in row.items() if value is not None and value == value} for row in rows]


def _short(value: float) -> float | int | None:
    if not np.isfinite(value):
        return None
    short = float(f"{value:.5g}")
    return int(short) if short == int(short) else short
