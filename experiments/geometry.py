"""Measures the geometry of the class manifolds, layer by layer, for the four groups of examples.

    python -m experiments.geometry --workdir=runs/mine --geometry_epochs=best,final

Writes results/geometry.csv in the run's folder. Activations of a network from any framework can be measured instead:

    python -m experiments.geometry --points=activations.npz --workdir=results/mine

with the arrays `labels` [n] and `activations` [n, ...], or one array per layer.
"""

import dataclasses
import functools
import pathlib
import sys
import warnings

from experiments import cli
from experiments.configs import GeometryConfig
from experiments.members import for_each
from experiments.progress import bar
from experiments.record import recorded
from experiments.trained import choose_examples, geometry_options, opened
from memorize_jax import analysis, data, models
from memorize_jax.analysis import INPUT, geometry_rows, missing_rows
from memorize_jax.analysis.manifolds import compiled_network_geometry
from memorize_jax.data import Splits
from memorize_jax.keys import stream
from memorize_jax.results import GEOMETRY, write_table
from memorize_jax.runs import Run, check_writable


@recorded("geometry")
def run(
    workdir: str | pathlib.Path, config: GeometryConfig, splits: Splits | None = None, *, skip_damaged: bool = False
) -> None:
    """Measures the geometry of a run and writes results/geometry.csv; goes on where it was interrupted.

    Args:
      workdir: folder of the run.
      config: GeometryConfig.
      splits: the data, if they were loaded before.
      skip_damaged: give an epoch whose checkpoint is damaged rows without numbers instead of failing.

    Raises:
      ValueError, OSError: one clear sentence.
    """
    with opened(workdir, splits, skip_damaged=skip_damaged) as trained:
        _run(trained, config)


def _run(trained, config):
    run_config, splits = trained.config, trained.splits
    epochs = trained.select_epochs(config.geometry_epochs)
    examples = choose_examples(splits, trained.labels, config, seed=run_config.seed)

    layers = models.layer_names(run_config.model)
    numbers = (0, *(layer.number for layer in models.layers(run_config.model)))
    model = models.create(run_config.model, num_classes=splits.train.num_classes, width=run_config.width)
    statistics, key = (
        data.channel_statistics(splits.train.images, run_config.scaling),
        stream(run_config.seed, "geometry"),
    )
    options = geometry_options(config)
    load = functools.lru_cache(maxsize=1)(trained.store.load)

    def common(unit):
        epoch, group = unit
        return {"seed": run_config.seed, "epoch": epoch, "group": group, "kappa": config.kappa}

    with bar("geometry", "group", len(epochs) * len(examples)) as progress:

        def measured(unit):
            epoch, group = unit
            images = (splits.test if group == "test" else splits.train).images[examples[group]]
            found = compiled_network_geometry(
                model, load(epoch), images, statistics, key, layers=layers, options=options
            )
            trained.warn_of(found, epoch, group, examples[group])
            progress.set_postfix(epoch=epoch, group=group)
            progress.update()
            return geometry_rows(found, (INPUT, *layers), common(unit), numbers=numbers)

        def unmeasured(unit):
            options = {"shape": examples[unit[1]].shape, "num_draws": config.num_draws, "numbers": numbers}
            return missing_rows((INPUT, *layers), common(unit), **options)

        trained.make_table(
            "geometry",
            GEOMETRY,
            [(epoch, group) for epoch in epochs for group in examples],
            measured,
            settings=dataclasses.asdict(dataclasses.replace(config, geometry_epochs="")),
            otherwise=unmeasured,
        )


def run_on_points(points: str, workdir: str | pathlib.Path, config: GeometryConfig, seed: int) -> pathlib.Path:
    """Measures activations from a file; writes results/geometry.csv and figures/geometry.svg.

    Args:
      points: path of the npz file.
      workdir: folder for the results; must not hold a training run.
      config: GeometryConfig.
      seed: of the examples chosen and the draws.

    Returns:
      Path of the table.
    """
    folder = Run(workdir)
    check_writable(folder.workdir)
    folder.workdir.mkdir(parents=True, exist_ok=True)
    if folder.config.is_file():
        raise ValueError(
            f"workdir {workdir} holds a training run; choose another --workdir for the results of --points"
        )
    activations, labels = analysis.read_points(points)
    chosen = {"seed": seed, "examples_per_class": config.examples_per_class, "max_classes": config.max_classes}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        result = analysis.analyze(activations, labels, **chosen, **dict(geometry_options(config)))
    for one in said:
        print(f"warning: {one.message}", file=sys.stderr)
    print(f"measured on {result.taken}")
    write_table(folder.results / "geometry.csv", result.to_dataframe().to_dict("records"), GEOMETRY)
    result.plot(folder.figures / "geometry.svg")
    return folder.results / "geometry.csv"


def main() -> None:
    """Reads the flags and measures."""
    workdir = cli.required_workdir()
    if cli.FLAGS.points:
        config = dataclasses.replace(GeometryConfig(examples_per_class=None), **cli.given(GeometryConfig))
        config.validate()
        print(f"measured: {run_on_points(cli.FLAGS.points, workdir, config, cli.FLAGS.seed or 0)}")
        return
    config = cli.chosen(workdir, "geometry").geometry
    for_each(workdir, lambda folder: run(folder, config, skip_damaged=cli.FLAGS.skip_damaged), ("geometry.csv",))
    print(f"measured: {Run(workdir).results / 'geometry.csv'}; next: python -m experiments.report --workdir={workdir}")


def define_points() -> None:
    """Defines --points, and the seed that goes with it."""
    cli.define_string("points", "npz file with labels [n] and activations [n, ...], instead of a run")
    cli.define_integer("seed", "of the examples chosen and the draws, with --points")


if __name__ == "__main__":
    cli.start(main, cli.define_workdir, cli.define_preset_of_run, cli.define_geometry, define_points)
