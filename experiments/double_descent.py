"""Trains networks of growing width on slightly permuted labels, and measures the test manifolds of each.

    python -m experiments.double_descent --workdir=runs/descent --preset=double_descent_small --widths=1,2,4,8

Every width is a complete run in width_<k>/ of the folder (with --seeds, an ensemble of runs); the same command goes on
where it stopped. Writes results/double_descent.csv and figures/fig4c.svg, fig4d.svg and fig4e.svg.
"""

import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from experiments import cli
from experiments.configs import GeometryConfig
from experiments.record import recorded
from experiments.trained import choose_examples, geometry_options, opened
from memorize_jax import data, figures
from memorize_jax.analysis import best_epoch, final_epoch, geometry_rows
from memorize_jax.analysis.manifolds import compiled_network_geometries
from memorize_jax.config import RunConfig
from memorize_jax.keys import stream
from memorize_jax.runs.folder import Run, check_writable
from memorize_jax.runs.prepare import prepare
from memorize_jax.runs.provenance import provenance
from memorize_jax.runs.seeds import parse_seeds, seed_folder
from memorize_jax.runs.train import train_run
from memorize_jax.storage.lock import locked
from memorize_jax.storage.tables import DOUBLE_DESCENT, make_table
from memorize_jax.studies.study import read_study

# Columns of metrics.csv that go into the table.
ACCURACIES = tuple(column for column in DOUBLE_DESCENT if column.endswith("_accuracy"))
FIGURES = ("fig4c", "fig4d", "fig4e", "descent_capacity")


def parse_widths(text: str) -> list[int]:
    """Reads a list of widths.

    Args:
      text: numbers with commas between them.

    Returns:
      The widths in order, each once.

    Raises:
      ValueError: expected X, got Y.
    """
    items = [item.strip() for item in text.split(",")]
    if not all(item.isdecimal() and int(item) >= 1 for item in items):
        raise ValueError(f"expected widths like 1,2,4,8, got {text!r}")
    return sorted({int(item) for item in items})


@recorded("double_descent")
def run(
    workdir: str | pathlib.Path,
    config: RunConfig,
    manifolds: GeometryConfig,
    widths: Sequence[int],
    seeds: Sequence[int],
    *,
    plan: Mapping | None = None,
) -> list[pathlib.Path]:
    """Trains and measures all widths; goes on where it was interrupted, in the middle of a run too.

    Args:
      workdir: folder of the sweep.
      config: of every run but for width and seed.
      manifolds: GeometryConfig; its epochs are not used.
      widths: of the networks.
      seeds: of the runs of each width.
      plan: of `Preset.plan`: the settings that every run notes for its analyses; None for the defaults.

    Returns:
      Paths of the figures.

    Raises:
      ValueError, OSError: one clear sentence.
    """
    folder = Run(workdir)
    check_writable(folder.workdir)
    if folder.config.is_file():
        raise ValueError(f"workdir {workdir} holds a single run; choose another --workdir for a sweep")
    runs, splits = {}, None
    for width, seed in itertools.product(widths, seeds):
        place, own = folder.workdir / f"width_{width}", dataclasses.replace(config, width=width, seed=seed)
        place = seed_folder(place, seed) if len(seeds) > 1 else place
        # What can be wrong with the last width should not come out after days; the data are in memory once.
        prepared = prepare(place, own, splits)
        splits = prepared[0]
        choose_examples(*prepared, manifolds, seed=seed, names=["test"])
        runs[f"width {width}, seed {seed}"] = (place, own, prepared)

    def measured(name):
        place, own, prepared = runs[name]
        train_run(place, own, prepared, plan)
        return measure(place, manifolds, splits)

    settings = {
        "run": dataclasses.asdict(dataclasses.replace(config, width=None, seed=0, tensorboard=False)),
        "geometry": dataclasses.asdict(manifolds),
        "provenance": provenance(),
    }
    with locked(folder.workdir):
        make_table(folder.results / "double_descent.csv", DOUBLE_DESCENT, list(runs), measured, settings=settings)
    return figures.draw(read_study(workdir), FIGURES)


def measure(workdir: str | pathlib.Path, config: GeometryConfig, splits: data.Splits | None = None) -> list[dict]:
    """Measures the test manifolds of a run at the last hidden layer, at its best and its final epoch.

    Args:
      workdir: folder of the run.
      config: GeometryConfig; its epochs are not used.
      splits: the data, if they were loaded before.

    Returns:
      Two rows of results/double_descent.csv.
    """
    with opened(workdir, splits) as trained:
        name, number = list(trained.layers.items())[-2]
        seed, splits = trained.config.seed, trained.splits
        examples = choose_examples(splits, trained.labels, config, seed=seed, names=["test"])["test"]
        images, key = splits.test.images[examples], stream(seed, "geometry")
        own = geometry_options(dataclasses.replace(config, joint_draws=0), vary_components=False)
        options = {"layers": (name,), "options": own}
        rows = []
        for moment, epoch in (("best", best_epoch(trained.metrics)), ("final", final_epoch(trained.metrics))):
            variables = trained.store.load(epoch)
            measured = compiled_network_geometries(
                trained.model(), variables, images, trained.statistics, key, **options
            )
            trained.warn_of(measured, epoch, "test", examples)
            accuracies = trained.metrics.set_index("epoch").loc[epoch]
            common = {
                "seed": seed,
                "width": trained.config.width,
                "num_parameters": sum(np.size(leaf) for leaf in jax.tree.leaves(variables["params"])),
                "moment": moment,
                "epoch": epoch,
                "kappa": config.kappa,
                **{column: float(accuracies[column]) for column in ACCURACIES},
            }
            (row,) = geometry_rows(measured.mean_field, (name,), common, numbers=(number,))
            rows.append({column: row[column] for column in DOUBLE_DESCENT})
        return rows


def main() -> None:
    """Reads the flags and runs the sweep."""
    workdir, chosen = cli.required_workdir(), cli.chosen()
    widths = cli.FLAGS.widths or chosen.widths
    if not widths:
        raise ValueError("expected --widths=1,2,4,8, for this preset has none")
    seeds = parse_seeds(cli.FLAGS.seeds) if cli.FLAGS.seeds else [chosen.run.seed]
    drawn = run(workdir, chosen.run, chosen.geometry, parse_widths(widths), seeds, plan=chosen.plan())
    names = ", ".join(path.name for path in drawn)
    print(f"measured: {Run(workdir).results / 'double_descent.csv'}; drawn in {Run(workdir).figures}: {names}")


if __name__ == "__main__":
    cli.start(
        main,
        cli.define_workdir,
        functools.partial(cli.define_preset, "double_descent_small"),
        cli.settings(RunConfig),
        cli.settings(GeometryConfig),
        cli.SEEDS,
        cli.flag("widths", "of the networks, e.g. 1,2,4,8 (the preset's, if not given)"),
    )
