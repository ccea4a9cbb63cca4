"""Bring your own network: geometry of activations from any framework."""

import dataclasses
import math
import pathlib
import warnings
import zipfile
from collections.abc import Mapping

import jax
import numpy as np
import pandas as pd
from jaxtyping import Int

from memorize_jax.analysis.manifolds import geometry_rows
from memorize_jax.data import Group, manifold_indices
from memorize_jax.geometry import (
    JointGeometry,
    LayerParticipation,
    ManifoldGeometry,
    layer_geometry,
    layer_joint_geometry,
    layer_participation,
)
from memorize_jax.geometry.points import as_array, as_labels, has_bad
from memorize_jax.geometry.status import INVALID, describe
from memorize_jax.memory import check_fits
from memorize_jax.storage.tables import GEOMETRY

GROUP = "all"
# Examples of a class that are taken unless more are asked for.
MOST_EXAMPLES = 50
UNEQUAL = ("mask", "subsample")
SUMMARY = ("capacity", "radius", "dimension", "center_correlation", "joint_capacity")
# How files begin that are no npz file: what they are, and what to do.
OTHER_FILES = {
    b"version https://git-lfs": "a pointer of Git LFS; git lfs pull brings the file itself",
    b"\x93NUMPY": "an npy file, a single array; numpy.savez writes several",
    b"MATLAB 5.0": "a MATLAB file; scipy.io.loadmat reads it, numpy.savez writes its arrays",
    b"\x89HDF": "an HDF5 file, as MATLAB 7.3 writes too; h5py reads it, numpy.savez writes its arrays",
    b"PK": "a damaged one, cut short",
    b"\x80": "stored Python objects, which are not read; numpy.savez writes arrays",
}


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


def analyze(
    activations,
    labels,
    *,
    seed: int = 0,
    examples_per_class: int | None = None,
    max_classes: int | None = None,
    unequal: str = "mask",
    num_draws: int = 300,
    kappa: float = 0.0,
    joint_draws: int = 200,
    **options,
) -> Analysis:
    """Measures mean-field and joint geometry of activations, whatever framework they come from.

    Args:
      activations: name -> array [n, ...] per layer, in order, or one array [n, ...]; anything NumPy can read, and
        PyTorch tensors, of any kind of real numbers.
      labels: [n] integers.
      seed: of the examples chosen and the draws.
      examples_per_class: M, of every class; by default as many as each class has, `MOST_EXAMPLES` at most.
      max_classes: use at most this many classes.
      unequal: what happens without M to classes of unequal size: "mask", each is measured on the examples it has, or
        "subsample", all on as many as the smallest has.
      num_draws: Gaussian draws per manifold.
      kappa: margin.
      joint_draws: Gaussian draws of the joint geometry; 0 measures none.
      **options: of `geometry.layer_geometry`.

    Warns:
      UserWarning: as both geometries do; also where no class has more than one example.

    Raises:
      ValueError: activations that are no real numbers, labels that are no integers, or both that do not match; too few
        examples or classes; NaN or infinite values in any row.
    """
    layers = dict(activations) if isinstance(activations, Mapping) else {"activations": activations}
    labels = as_labels(labels)
    layers = {name: _rows(values, name, len(labels)) for name, values in layers.items()}
    # Classes may be numbered with gaps: only those that occur are manifolds.
    classes, dense, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        raise ValueError(f"expected labels of at least 2 classes, got {classes.tolist()}")
    if unequal not in UNEQUAL:
        raise ValueError(f"expected unequal to be one of {', '.join(UNEQUAL)}, got {unequal!r}")
    asked = examples_per_class
    if asked is None:
        asked = min(MOST_EXAMPLES, int(counts.max() if unequal == "mask" else counts.min()))
    most = min(asked, int(counts.max()))
    num_rows = int(np.sort(np.minimum(counts, most))[::-1][:max_classes].sum())
    row_bytes = sum(values.itemsize * values.shape[1] for values in layers.values())
    # Once as they are, once as they are measured; asked before jax takes memory of its own.
    check_fits("all layers' chosen rows", 2 * num_rows * row_bytes, "lower examples_per_class, or give fewer layers")
    # A row -1 stands for each example that a class lacks, so that all are drawn alike.
    lacking = np.repeat(np.arange(len(classes)), np.maximum(most - counts, 0))
    chosen = manifold_indices(
        Group(np.append(np.arange(len(labels)), np.full(len(lacking), -1)), np.append(dense, lacking)),
        num_classes=len(classes),
        examples_per_class=most,
        key=jax.random.key(seed),
        name="given",
        max_classes=max_classes,
    )
    indices = {int(labels[own.max()]): own[own >= 0] for own in chosen}
    there = counts[np.searchsorted(classes, list(indices))]
    if examples_per_class is not None and there.min() < asked:
        found = ", ".join(f"{n} in class {c}" for c, n in zip(indices, there, strict=True) if n < asked)
        raise ValueError(
            f"expected at least {asked} examples in every class, got {found}; lower examples_per_class to "
            f"{there.min()} or less, or leave it out"
        )
    if there.max() == 1:
        warnings.warn("every class has a single example: there are no manifolds, only points", stacklevel=2)
    points = {name: [values[own] for own in indices.values()] for name, values in layers.items()}
    shared = {"key": jax.random.key(seed), "kappa": kappa, "classes": list(indices)}
    geometry = layer_geometry(points, num_draws=num_draws, **shared, **options)
    joint = _joint(points, geometry, num_draws=joint_draws, **shared) if joint_draws else None
    taken = _taken(np.array([len(own) for own in indices.values()]), there, len(classes))
    return Analysis(geometry, joint, layer_participation(points), tuple(layers), seed, kappa, indices, taken)


def _joint(points, geometry, **options):
    """The joint geometry, with warnings of those layers that have not been warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        joint = layer_joint_geometry(points, **options)
    is_known = np.all(np.asarray(geometry.status) & INVALID, axis=1)
    if problems := dataclasses.replace(joint, status=np.where(is_known, 0, joint.status)).problems():
        warnings.warn("; ".join(problems), stacklevel=3)
    return joint


def _taken(taken, there, num_classes):
    span = lambda sizes: f"{sizes.min()}" if sizes.min() == sizes.max() else f"{sizes.min()} to {sizes.max()}"
    cut = np.any(taken < there)
    some = f"{len(there)} of " if len(there) < num_classes else ""
    return (
        f"{f'{span(taken)} of the' if cut else 'all'} {span(there)} examples of each of {some}{num_classes} classes"
        f"{'; examples_per_class takes another number of them' if cut else ''}"
    )


def _rows(values, name, count):
    """One layer [n, d], of finite numbers."""
    if isinstance(values, tuple):
        raise ValueError(f"expected one array for layer {name!r}, got a tuple of {len(values)} outputs; choose one")
    values = np.asarray(as_array(values, f"activations of layer {name!r}"))
    if values.ndim < 2 or len(values) != count:
        raise ValueError(f"expected activations [{count}, ...] for layer {name!r}, got {values.shape}")
    values = values.reshape(count, -1)
    if has_bad(values):
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        raise ValueError(
            f"expected finite points of layer {name!r}, got NaN or infinite values in row {bad[0]} of layer {name!r}, "
            f"in {len(bad)} of {count} rows in all"
        )
    return values


def read_points(path: str | pathlib.Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Reads (layer -> array, labels) from an npz file.

    Args:
      path: a file with `labels` [n] and either `activations` [n, ...] or one array per layer, in order.

    Raises:
      FileNotFoundError: no such file.
      ValueError: not an npz file of plain arrays, or no labels, or nothing but labels, or more than memory holds.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        needed = _unpacked_bytes(path)
    except Exception as error:  # zip and header readers raise whatever they raise
        raise ValueError(f"{path}: expected an npz file of plain arrays, got {error or 'a damaged one'}") from error
    check_fits(f"{path}, unpacked,", needed, "save fewer examples or layers")
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
    except Exception as error:
        raise ValueError(f"{path}: expected an npz file of plain arrays, got a damaged one: {error}") from error
    if "labels" not in arrays or len(arrays) < 2:
        raise ValueError(f"{path}: expected arrays labels and activations (or one per layer), got {sorted(arrays)}")
    labels = arrays.pop("labels")
    return arrays, labels


def _unpacked_bytes(path):
    """Bytes of all arrays of an npz file, by their headers alone."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            start = file.read(24)
        known = [what for magic, what in OTHER_FILES.items() if start.startswith(magic)]
        raise ValueError(known[0] if known else f"a file that begins with {start!r}")
    total = 0
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if not member.endswith(".npy"):
                raise ValueError(f"an archive that holds {member}")
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(file)
            if dtype.hasobject:
                raise ValueError(f"Python objects in {member}, which are not read")
            total += math.prod(shape) * dtype.itemsize
    return total
