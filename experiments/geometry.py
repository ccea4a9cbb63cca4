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
from experiments.trained import Trained, analysis, can_be_resampled, choose_examples, geometry_options, run_chosen
from memorize_jax.analysis import analyze, geometry_rows, missing_rows, read_points, with_example_spread
from memorize_jax.analysis.manifolds import compiled_network_geometries
from memorize_jax.keys import stream
from memorize_jax.runs.folder import Run, check_writable
from memorize_jax.storage.tables import GEOMETRY, write_table


@analysis("geometry")
def run(trained: Trained, config: GeometryConfig) -> None:
    """Measures the geometry of a run and writes results/geometry.csv.

    With `skip_damaged` an epoch whose checkpoint is damaged has rows without numbers.
    """
    seed, splits = trained.config.seed, trained.splits
    epochs = trained.select_epochs(config.geometry_epochs)
    examples = choose_examples(splits, trained.labels, config, seed=seed)
    layers, numbers = zip(*trained.layers.items(), strict=True)
    model, statistics, key = trained.model(), trained.statistics, stream(seed, "geometry")
    options = geometry_options(config)
    load = functools.lru_cache(maxsize=1)(trained.store.load)
    others = {group: [] for group in examples}
    if config.example_repeats > 1:
        for group in can_be_resampled(splits, trained.labels, examples):
            for repeat in range(1, config.example_repeats):
                again = {"seed": seed, "names": [group], "repeat": repeat}
                others[group].append(choose_examples(splits, trained.labels, config, **again)[group])

    def common(unit):
        epoch, group = unit
        return {"seed": seed, "epoch": epoch, "group": group, "kappa": config.kappa}

    def measured(unit):
        epoch, group = unit
        repeats = []
        for chosen in (examples[group], *others[group]):
            images = (splits.test if group == "test" else splits.train).images[chosen]
            found = compiled_network_geometries(
                model, load(epoch), images, statistics, key, layers=layers[1:], options=options
            )
            if not repeats:
                trained.warn_of(found, epoch, group, chosen)
            repeats.append(geometry_rows(found.mean_field, layers, common(unit), joint=found.joint, numbers=numbers))
        return with_example_spread(repeats)

    def unmeasured(unit):
        options = {"shape": examples[unit[1]].shape, "num_draws": config.num_draws, "numbers": numbers}
        return missing_rows(layers, common(unit), **options)

    trained.make_table(
        "geometry",
        GEOMETRY,
        [(epoch, group) for epoch in epochs for group in examples],
        measured,
        settings=dataclasses.asdict(dataclasses.replace(config, geometry_epochs="")),
        counted="group",
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
    if config.example_repeats > 1:
        raise ValueError(f"expected example_repeats 1 with --points, got {config.example_repeats}: vary --seed instead")
    folder = Run(workdir)
    check_writable(folder.workdir)
    folder.workdir.mkdir(parents=True, exist_ok=True)
    if folder.config.is_file():
        raise ValueError(
            f"workdir {workdir} holds a training run; choose another --workdir for the results of --points"
        )
    activations, labels = read_points(points)
    chosen = {"seed": seed, "examples_per_class": config.examples_per_class, "max_classes": config.max_classes}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        result = analyze(activations, labels, **chosen, **dict(geometry_options(config)))
    for one in said:
        print(f"warning: {one.message}", file=sys.stderr)
    print(f"measured on {result.taken}")
    write_table(folder.results / "geometry.csv", result.to_dataframe().to_dict("records"), GEOMETRY)
    result.plot(folder.figures / "geometry.svg")
    return folder.results / "geometry.csv"


def main() -> None:
    """Reads the flags and measures."""
    if cli.FLAGS.points:
        config = dataclasses.replace(GeometryConfig(examples_per_class=None), **cli.given(GeometryConfig))
        config.validate()
        print(f"measured: {run_on_points(cli.FLAGS.points, cli.required_workdir(), config, cli.FLAGS.seed or 0)}")
        return
    run_chosen("geometry", run)


if __name__ == "__main__":
    cli.start(
        main,
        *cli.of_analysis(GeometryConfig),
        cli.flag("points", "npz file with labels [n] and activations [n, ...], instead of a run"),
        cli.integer("seed", "of the examples chosen and the draws, with --points"),
    )
