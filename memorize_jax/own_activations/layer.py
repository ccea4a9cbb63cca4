"""One layer of an analysis."""

import dataclasses
import html
from collections.abc import Mapping
from typing import Any

import pandas as pd

from memorize_jax.geometry import JointGeometry, ManifoldGeometry

# Columns of the table by class that a notebook shows.
SHOWN = ("capacity", "radius", "dimension", "joint_class_capacity", "num_examples", "reason")


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class LayerResult:
    """Geometry of one layer. Its numbers are attributes: `result["fc"].capacity`, `.radius`, `.joint_capacity`, ...

    Attributes:
      name: of the layer.
      geometry: of the layer.
      joint: likewise; None where it was not measured.
      numbers: column of the table by layer -> number.
      classes: the table by class, indexed by label.
    """

    name: str
    geometry: ManifoldGeometry
    joint: JointGeometry | None
    numbers: Mapping[str, Any]
    classes: pd.DataFrame

    def __getattr__(self, column: str) -> Any:
        """A number of the layer by the name of its column."""
        numbers = self.__dict__.get("numbers", {})
        if column not in numbers:
            raise AttributeError(f"expected a number out of {', '.join(numbers)}, got {column!r}")
        return numbers[column]

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.numbers})

    def __repr__(self) -> str:
        measures = ("capacity", "radius", "dimension", "center_correlation", "joint_capacity")
        shown = ", ".join(f"{name} {self.numbers[name]:.4g}" for name in measures)
        return f"LayerResult({self.name}: {shown})"

    def _repr_html_(self) -> str:
        shown = self.classes[[name for name in SHOWN if name in self.classes]]
        return f"<p>{html.escape(repr(self))}</p>{shown.to_html(float_format='{:.4g}'.format)}"
