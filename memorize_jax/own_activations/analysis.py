"""What the analysis of somebody's activations returns."""

import dataclasses
import pathlib
from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Int

from memorize_jax.analysis.manifolds import geometry_rows
from memorize_jax.geometry import JointGeometry, LayerParticipation, ManifoldGeometry
from memorize_jax.geometry.status import describe
from memorize_jax.storage.tables import GEOMETRY

GROUP = "all"
SUMMARY = ("capacity", "radius", "dimension", "center_correlation", "joint_capacity")


@dataclasses.dataclass(frozen=True, repr=False)
class Analysis:
    """Geometry of the layers of somebody's network.

    Attributes:
      geometry: with an axis of layers; `geometry.classes` are the caller's labels.
      joint: of the same examples, likewise; None where it was not measured.
      participation: how many directions these examples vary in, together and class by class; likewise.
      layers: names in the order of that axis.
      indices: label -> rows of the activations that stand for the class.
      taken: says how many examples of how many classes these are.
    """

    geometry: ManifoldGeometry
    joint: JointGeometry | None
    participation: LayerParticipation
    layers: tuple[str, ...]
    seed: int
    kappa: float
    indices: Mapping[int, Int[np.ndarray, " M"]]
    taken: str

    def __repr__(self):
        return f"Analysis(layers {', '.join(self.layers)}: {self.taken})"

    def summary(self) -> pd.DataFrame:
        """A row for each layer: capacity, radius, dimension, center correlation; joint capacity if it was measured."""
        columns = SUMMARY if self.joint is not None else SUMMARY[:-1]
        return pd.DataFrame(self.to_dataframe(), columns=["layer", *columns]).set_index("layer")

    def to_dataframe(self, per: str = "layer") -> pd.DataFrame:
        """Puts the results into a table.

        Args:
          per: "layer", a row each with the columns of results/geometry.csv, or "class", a row for each class of each
            layer: its label, its numbers, what its status means, the rows it was measured on.

        Raises:
          ValueError: another `per`.
        """
        if per == "layer":
            common = {"seed": self.seed, "epoch": 0, "group": GROUP, "kappa": self.kappa}
            others = {"joint": self.joint, "participation": self.participation}
            rows = geometry_rows(self.geometry, self.layers, common, **others)
            return pd.DataFrame(rows, columns=list(GEOMETRY))
        if per != "class":
            raise ValueError(f"expected per to be layer or class, got {per!r}")
        parts = []
        for place, name in enumerate(self.layers):
            own = {field: np.asarray(leaf) for field, leaf in vars(self.geometry[name]).items() if np.ndim(leaf) == 1}
            reasons = [describe(each) for each in own["status"]]
            if self.joint is not None:
                own["joint_class_capacity"] = np.asarray(self.joint[name].class_capacity)
            by_class = self.participation.by_class
            own["participation_ratio"] = np.asarray(by_class.plain[place])
            own["participation_ratio_corrected"] = np.asarray(by_class.corrected[place])
            named = {"layer": name, "label": own.pop("classes")}
            parts.append(pd.DataFrame({**named, **own, "reason": reasons, "rows": list(self.indices.values())}))
        return pd.concat(parts, ignore_index=True)

    def plot(self, path: str | pathlib.Path) -> pathlib.Path:
        """Draws the measures by layer into a file (.svg, .png, .pdf) and returns its path."""
        # Here, for matplotlib is imported in a second.
        from memorize_jax.measurements.geometry.figures import draw_geometry

        return draw_geometry(self.to_dataframe(), pathlib.Path(path))
