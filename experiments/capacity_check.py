"""Compares mean-field capacity with simulated capacity: the same manifolds, layer by layer, for the four groups.

    python -m experiments.capacity_check --workdir=runs/mine --capacity_epochs=best,final --capacity_repetitions=3

Writes results/capacity_check.csv and figures/fig1b.svg in the run's folder; for an ensemble, over all of its seeds. A
simulation looks for the number of random features at which half of random labellings of the classes are separable:
its cost grows with the square of the number of classes, so --capacity_classes limits them.
"""

import dataclasses
import functools
import pathlib

from experiments import cli
from experiments.configs import CapacityCheckConfig, GeometryConfig
from experiments.members import for_each
from experiments.progress import bar
from experiments.record import recorded
from experiments.trained import choose_examples, geometry_options, opened
from memorize_jax import data, figures, models
from memorize_jax.analysis import INPUT
from memorize_jax.analysis.activations import flat_reader, hosted_activations
from memorize_jax.analysis.capacity_check import repeated_capacity
from memorize_jax.analysis.manifolds import compiled_network_geometry
from memorize_jax.data import GROUPS, Splits
from memorize_jax.keys import stream
from memorize_jax.results import CAPACITY_CHECK
from memorize_jax.runs import Run
from memorize_jax.study import read_study


@recorded("capacity_check")
def run(
    workdir: str | pathlib.Path,
    config: CapacityCheckConfig,
    geometry: GeometryConfig,
    splits: Splits | None = None,
    *,
    skip_damaged: bool = False,
) -> None:
    """Measures both capacities of a run and writes results/capacity_check.csv; goes on where it was interrupted.

    Args:
      workdir: folder of the run.
      config: CapacityCheckConfig.
      geometry: which manifolds, and how the mean-field capacity is measured; its margin is not used: simulations have
        none.
      splits: the data, if they were loaded before.
      skip_damaged: pass over an epoch whose checkpoint is damaged instead of failing.

    Raises:
      ValueError, OSError: one clear sentence.
    """
    with opened(workdir, splits, skip_damaged=skip_damaged) as trained:
        _run(trained, config, geometry)


def _run(trained, config, geometry):
    seed, train, test = trained.config.seed, trained.splits.train, trained.splits.test
    epochs = trained.select_epochs(config.capacity_epochs)
    limits = [limit for limit in (config.capacity_classes, geometry.max_classes) if limit is not None]
    geometry = dataclasses.replace(geometry, max_classes=min(limits, default=None))
    examples = choose_examples(trained.splits, trained.labels, geometry, seed=seed)
    layers = models.layers(trained.config.model)
    names = tuple(layer.name for layer in layers)
    numbers = (0, *(layer.number for layer in layers))
    model = models.create(trained.config.model, num_classes=train.num_classes, width=trained.config.width)
    statistics = data.channel_statistics(train.images, trained.config.scaling)
    options = geometry_options(dataclasses.replace(geometry, kappa=0.0))
    read = flat_reader(model, statistics, names)

    units = [(epoch, group) for epoch in epochs for group in GROUPS if group in examples]
    load = functools.lru_cache(maxsize=1)(trained.store.load)
    with bar("capacity check", "layer", len(units) * len(numbers)) as progress:

        def measured(unit):
            epoch, group = unit
            variables = load(epoch)
            images = (test if group == "test" else train).images[examples[group]]
            theory = compiled_network_geometry(
                model, variables, images, statistics, stream(seed, "geometry"), layers=names, options=options
            ).summary()
            capacity, error = theory["capacity"], theory["capacity_standard_error"]
            flat = images.reshape(-1, *images.shape[2:])
            rows = []
            for index, (name, (shown,)) in enumerate(hosted_activations(read, variables, [flat], (INPUT, *names))):
                progress.set_postfix(epoch=epoch, group=group, layer=name)
                points = shown.reshape(*examples[group].shape, -1)
                simulated = repeated_capacity(
                    points,
                    key=stream(seed, "capacity check"),
                    num_repetitions=config.capacity_repetitions,
                    num_dichotomies=config.capacity_dichotomies,
                    expected=float(capacity[index]) if capacity[index] > 0 else None,
                )
                progress.update()
                rows.append(
                    {
                        "seed": seed,
                        "epoch": epoch,
                        "layer": name,
                        "layer_number": numbers[index],
                        "group": group,
                        "mean_field_capacity": float(capacity[index]),
                        "mean_field_standard_error": float(error[index]),
                        "simulated_capacity": simulated.capacity,
                        "simulated_standard_error": simulated.standard_error,
                        "bound": simulated.bound,
                        "undecided": simulated.undecided,
                        "num_classes": points.shape[0],
                        "examples_per_class": points.shape[1],
                        "num_inputs": points.shape[2],
                        "num_draws": geometry.num_draws,
                        "num_dichotomies": config.capacity_dichotomies,
                        "num_repetitions": config.capacity_repetitions,
                    }
                )
            return rows

        settings = {
            "check": dataclasses.asdict(dataclasses.replace(config, capacity_epochs="")),
            "geometry": dataclasses.asdict(dataclasses.replace(geometry, geometry_epochs="")),
        }
        trained.make_table("capacity_check", CAPACITY_CHECK, units, measured, settings=settings)


def main() -> None:
    """Reads the flags and measures."""
    workdir = cli.required_workdir()
    chosen = cli.chosen(workdir, "capacity_check", "geometry")
    for_each(
        workdir,
        lambda folder: run(folder, chosen.capacity_check, chosen.geometry, skip_damaged=cli.FLAGS.skip_damaged),
        ("capacity_check.csv",),
    )
    (drawn,) = figures.draw(read_study(workdir), ["fig1b"])
    print(f"measured: {Run(workdir).results / 'capacity_check.csv'}; drawn: {drawn}")


if __name__ == "__main__":
    cli.start(main, cli.define_workdir, cli.define_preset_of_run, cli.define_manifolds, cli.define_capacity_check)
