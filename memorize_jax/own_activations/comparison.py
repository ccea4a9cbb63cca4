"""What the comparison of two analyses returns."""

import dataclasses
import html
import pathlib
from typing import Any

import jax
import numpy as np
import pandas as pd

from memorize_jax.own_activations.interval_tables import interval_table, told
from memorize_jax.own_activations.repeats import Numbers, Repeats

SHOWN = ("capacity", "radius", "dimension", "center_correlation", "joint_capacity")


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class Comparison:
    """Differences a - b of all measures of all layers. Printed it is a table; `comparison[name]` is one layer.

    Attributes:
      layers: names, in order.
      a: what was measured of the first.
      b: of the second, on the same examples and by the same draws.
    """

    layers: tuple[str, ...]
    a: Repeats
    b: Repeats

    def __getitem__(self, layer: str) -> pd.DataFrame:
        """The rows of one layer, by measure; KeyError, which lists the layers, if there is none of that name."""
        if layer not in self.layers:
            raise KeyError(f"expected a layer out of {', '.join(self.layers)}, got {layer!r}")
        return self.to_dataframe().set_index(["layer", "measure"]).loc[layer]

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each layer and measure.

        Columns: layer, measure, a, b (means over the repeats), difference, low, high, standard_error, and the reason of
        an interval that is NaN.
        """
        found = interval_table(self._differences(), self.layers).rename(columns={"value": "difference"}).reset_index()
        for number, (name, repeats) in enumerate((("a", self.a), ("b", self.b))):
            means = [
                repeats.repeated.by_layer[measure][:, self.layers.index(layer)].mean()
                for layer, measure in zip(found["layer"], found["measure"], strict=True)
            ]
            found.insert(2 + number, name, means)
        return found

    def summary(self) -> pd.DataFrame:
        """A row for each layer: differences with their intervals, as text."""
        table = self.to_dataframe()
        cells = [told(*own) for own in table[["difference", "low", "high"]].itertuples(index=False)]
        wide = table.assign(cell=cells).pivot(index="layer", columns="measure", values="cell")
        return wide.loc[list(self.layers), [name for name in SHOWN if name in wide]].rename_axis(columns=None)

    def plot(self, path: str | pathlib.Path | None = None) -> Any:
        """Draws the differences by layer with their intervals: a figure of matplotlib, or a file (.svg, .png, .pdf).

        Returns:
          The figure, or the path where one was given.
        """
        # Here, for matplotlib is imported in a second.
        from memorize_jax.own_activations.interval_figure import draw_intervals

        table = self.to_dataframe().rename(columns={"difference": "value"})
        return draw_intervals(table, path if path is None else pathlib.Path(path), is_difference=True)

    def __repr__(self) -> str:
        return f"{self._heading()}\n{self.summary().to_string()}"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self._heading())}</p>{self.summary().to_html()}"

    def _heading(self):
        number, classes = len(self.a.choices), len(self.a.choices[0])
        intervals = "" if self.a.parts is not None else ", no intervals"
        return f"Comparison(a - b, {number} repeats of {classes} classes{intervals})"

    def _differences(self) -> Repeats:
        """Differences of all numbers, and the flags of both."""

        def minus(first: Numbers, second: Numbers) -> Numbers:
            joined = lambda name, x, y: _flags(x, y) if name.endswith("status") else x - y
            return Numbers(
                {name: joined(name, own, second.by_layer[name]) for name, own in first.by_layer.items()},
                jax.tree.map(np.subtract, first.by_class, second.by_class),
            )

        parts = None if self.a.parts is None or self.b.parts is None else minus(self.a.parts, self.b.parts)
        return self.a._replace(repeated=minus(self.a.repeated, self.b.repeated), parts=parts)


def _flags(first, second):
    """The flags of either; NaN, of what was not measured, where either is."""
    missing = np.isnan(first) | np.isnan(second)
    of = lambda values: np.where(missing, 0, values).astype(int)
    return np.where(missing, np.nan, of(first) | of(second))
