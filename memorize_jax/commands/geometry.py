"""Measures the geometry of the class manifolds, layer by layer, for the four groups of examples.

    python -m experiments.geometry --workdir=runs/mine --geometry_epochs=best,final

Writes results/geometry.csv in the run's folder. Activations of a network from any framework can be measured instead:

    python -m experiments.geometry --points=activations.npz --workdir=results/mine

with the arrays `labels` [n] and `activations` [n, ...], or one array per layer; npz, a folder of npy
files, HDF5, MATLAB or zarr. --example_repeats=20 adds 95 % intervals: columns <measure>_mean, _low, _high.
"""

import dataclasses
import pathlib
import sys
import warnings
from typing import Any

from absl import flags

from memorize_jax.analysis.settings import GeometrySettings
from memorize_jax.commands import cli, measure
from memorize_jax.measurements.registry import get_measurement
from memorize_jax.own_activations.analyze import analyze
from memorize_jax.own_activations.files.read import read_activations
from memorize_jax.runs.folder import RunFolder, check_writable
from memorize_jax.storage.tables import write_table


def define() -> None:
    """Defines the flags."""
    cli.flags_of_measurement(get_measurement("geometry"))
    cli.flag(
        "points",
        "File with labels [n] and activations [n, ...] or an array per layer, measured instead of a run: npz, HDF5, "
        "MATLAB, or a folder of npy files or of zarr.",
    )
    cli.flag("seed", "Seed of the examples chosen and the draws, with --points.", flags.DEFINE_integer)


def main() -> None:
    """Measures a run, or a file of activations."""
    if not cli.FLAGS.points:
        measure.main(get_measurement("geometry"))
        return
    settings = GeometrySettings(examples_per_class=None)
    settings = dataclasses.replace(settings, **cli.given(settings))
    settings.validate()
    print(f"measured: {measure_points(cli.FLAGS.points, cli.required_workdir(), settings, cli.FLAGS.seed or 0)}")


def measure_points(points: str, workdir: str | pathlib.Path, settings: GeometrySettings, seed: int) -> pathlib.Path:
    """Measures the activations in a file; writes figures/geometry.svg and results/geometry.csv; returns the latter."""
    if settings.two_nn:
        raise ValueError("expected no two_nn with --points, got it: scikit-dimension takes arrays, skdim.id.TwoNN")
    folder = RunFolder(workdir)
    check_writable(folder.workdir)
    folder.workdir.mkdir(parents=True, exist_ok=True)
    if folder.config.is_file():
        advice = "choose another --workdir for the results of --points"
        raise ValueError(f"workdir {workdir} holds a training run; {advice}")
    chosen: dict[str, Any] = {"seed": seed, "max_classes": settings.max_classes, **dict(settings.options())}
    chosen["repeats"] = settings.example_repeats
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        activations, labels = read_activations(points)
        result = analyze(activations, labels, examples_per_class=settings.examples_per_class, **chosen)
    for one in said:
        print(f"warning: {one.message}", file=sys.stderr)
    print(f"measured on {result.taken}")
    table = result.to_dataframe()
    # The columns of every such table, and with repeats those of the intervals.
    write_table(folder.results / "geometry.csv", table.to_dict("records"), tuple(table.columns))
    result.plot(folder.figures / "geometry.svg")
    return folder.results / "geometry.csv"
