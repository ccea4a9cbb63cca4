"""What the analysis of somebody's activations returns."""

import dataclasses
import html
import importlib.metadata
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int

from memorize_jax.analysis.manifold_rows import SPREAD, geometry_rows
from memorize_jax.geometry import JointGeometry, LayerParticipation, ManifoldGeometry
from memorize_jax.geometry.status import describe
from memorize_jax.own_activations.interval_tables import class_interval, interval_columns, interval_table, told
from memorize_jax.own_activations.layer import LayerResult
from memorize_jax.own_activations.repeats import Repeats
from memorize_jax.own_activations.saving import dataset_of, load_fields, save_fields
from memorize_jax.storage.tables import GEOMETRY

GROUP = "all"
ENDS = ("mean", "low", "high")
SUMMARY = ("capacity", "radius", "dimension", "center_correlation", "joint_capacity")
VERSIONS_OF = ("memorize_jax", "jax", "numpy")


def installed_versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    return {package: importlib.metadata.version(package) for package in VERSIONS_OF}


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class Analysis:
    """Geometry of the layers of somebody's network.

    Printed, or at the end of a notebook's cell, it is a table. `result[name]` is one layer.

    Attributes:
      geometry: with an axis of layers; `geometry.classes` are the caller's labels.
      joint: of the same examples, likewise; None where it was not measured.
      participation: how many directions these examples vary in, together and class by class; likewise.
      layers: names in the order of that axis.
      indices: label -> rows of the activations that stand for the class.
      taken: says how many examples of how many classes these are, and how many were left out.
      options: that were asked for, by name.
      versions: package -> version that the numbers were measured with.
      repeats: what was measured of other examples and draws too; None where it was not asked for.
    """

    geometry: ManifoldGeometry
    joint: JointGeometry | None
    participation: LayerParticipation
    layers: tuple[str, ...]
    seed: int
    kappa: float
    indices: Mapping[Any, Int[np.ndarray, " M"]]
    taken: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    versions: Mapping[str, str] = dataclasses.field(default_factory=installed_versions)
    repeats: Repeats | None = None

    def __getitem__(self, layer: str) -> LayerResult:
        """One layer: its numbers as attributes; KeyError, which lists the layers, if there is none of that name."""
        if layer not in self.layers:
            raise KeyError(f"expected a layer out of {', '.join(self.layers)}, got {layer!r}")
        numbers = self.to_dataframe().set_index("layer").loc[layer]
        by_class = self.to_dataframe(per="class")
        own = by_class[by_class["layer"] == layer].drop(columns="layer").set_index("label")
        joint = self.joint if self.joint is None else self.joint[layer]
        return LayerResult(layer, self.geometry[layer], joint, numbers.to_dict(), own)

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def __repr__(self) -> str:
        return f"{self._heading()}\n{self.summary().to_string(float_format='{:.4g}'.format)}"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self._heading())}</p>{self.summary().to_html(float_format='{:.4g}'.format)}"

    def _heading(self):
        return f"Analysis(layers {', '.join(self.layers)}: {self.taken})"

    @property
    def intervals(self) -> pd.DataFrame | None:
        """A row for each layer and measure: value (mean over the repeats), low, high, standard_error, reason if none.

        None without repeats. What is held fixed are the network and the classes; what is drawn anew are the examples of
        every class and the Gaussian vectors (`intervals.interval_of` has the formula).
        """
        return None if self.repeats is None else interval_table(self.repeats, self.layers)

    def summary(self) -> pd.DataFrame:
        """A row for each layer: capacity, radius, dimension, center correlation; joint capacity if it was measured.

        With repeats each is text: the mean over the repeats, and its 95 % interval.
        """
        columns = SUMMARY if self.joint is not None else SUMMARY[:-1]
        table = self.to_dataframe().set_index("layer")
        if self.repeats is None:
            return table[[*columns]]
        ends = lambda name: zip(*(table[f"{name}_{end}"] for end in ("mean", "low", "high")), strict=True)
        return pd.DataFrame({name: [told(*own) for own in ends(name)] for name in columns}, index=table.index)

    def to_dataframe(self, per: str = "layer") -> pd.DataFrame:
        """Puts the results into a table.

        Args:
          per: "layer", a row each with the columns of results/geometry.csv, or "class", a row for each class of each
            layer: its label, its numbers, what its status means, the rows it was measured on. With repeats both have
            <measure>_mean, _low and _high too: the mean over the repeats and the ends of its 95 % interval; by layer
            <measure>_example_sd is the standard deviation over the repeats, which have other examples and other
            draws. The other columns are those of the first repeat alone.

        Raises:
          ValueError: another `per`.
        """
        if per == "layer":
            common = {"seed": self.seed, "epoch": 0, "group": GROUP, "kappa": self.kappa}
            others = {"joint": self.joint, "participation": self.participation}
            rows = geometry_rows(self.geometry, self.layers, common, **others)
            table = pd.DataFrame(rows, columns=list(GEOMETRY))
            more = {} if self.repeats is None else _spread(self.repeats) | interval_columns(self.repeats)
            return table.assign(**more)
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
            if self.repeats is not None:
                for measure in self.repeats.repeated.by_class:
                    found = class_interval(self.repeats, measure)
                    own |= {f"{measure}_{end}": leaf[place] for end, leaf in zip(ENDS, found, strict=False)}
            named = {"layer": name, "label": own.pop("classes")}
            parts.append(pd.DataFrame({**named, **own, "reason": reasons, "rows": list(self.indices.values())}))
        return pd.concat(parts, ignore_index=True)

    def to_xarray(self) -> Any:
        """An `xarray.Dataset` with dimensions layer and label, and in its attributes seed, options, versions, taken.

        `capacity`, `radius` and `dimension` are those of each class, `layer_capacity` and the like those of the layer;
        `joint_...` are of the joint geometry; `rows` are the examples of each class, -1 where a class has fewer.

        Raises:
          ValueError: xarray is not installed; says how to.
        """
        return dataset_of(vars(self))

    def save(self, path: str | pathlib.Path) -> pathlib.Path:
        """Writes all of it into a file: .npz, or .nc (netCDF, which needs xarray and h5netcdf); returns the path."""
        return save_fields(vars(self), pathlib.Path(path))

    @classmethod
    def load(cls, path: str | pathlib.Path) -> "Analysis":
        """Reads what `save` wrote: the same numbers, tables and plot to the bit.

        Raises:
          FileNotFoundError: no such file.
          ValueError: another or a damaged file, or one of a later version.
        """
        return cls(**load_fields(pathlib.Path(path)))

    def plot(self, path: str | pathlib.Path | None = None) -> Any:
        """Draws the measures by layer: a figure of matplotlib, which notebooks show, or a file (.svg, .png, .pdf).

        With repeats their means are drawn, with the intervals.

        Returns:
          The figure, or the path where one was given.
        """
        # Here, for matplotlib is imported in a second.
        from memorize_jax.measurements.geometry.figures import draw_geometry
        from memorize_jax.own_activations.interval_figure import draw_intervals

        path = path if path is None else pathlib.Path(path)
        if self.repeats is not None:
            return draw_intervals(interval_table(self.repeats, self.layers).reset_index(), path)
        return draw_geometry(self.to_dataframe(), path)


def _spread(repeats):
    """The columns of results/geometry.csv that say how often it was measured, and how far the numbers scatter."""
    measured = repeats.repeated.by_layer
    spread = {f"{name}_example_sd": np.std(measured[name], axis=0, ddof=1) for name in SPREAD}
    return {"example_repeats": len(repeats.choices), **(spread if len(repeats.choices) > 1 else {})}
