"""Compares mean-field and joint capacity with simulated capacity: the same manifolds, layer by layer, four groups.

    python -m experiments.capacity_check --workdir=runs/mine --capacity_epochs=best,final --capacity_repetitions=3

Writes results/capacity_check.csv and figures/fig1b.svg in the run's folder; for an ensemble, over all of its seeds. A
simulation looks for the number of random features at which half of random labelings of the classes are separable:
its cost grows with the square of the number of classes, so --capacity_classes limits them.
"""

import dataclasses
import functools

from experiments import cli
from experiments.configs import CapacityCheckConfig, GeometryConfig
from experiments.trained import Trained, analysis, choose_examples, geometry_options, run_chosen
from memorize_jax.activations import flat_reader, hosted_activations
from memorize_jax.analysis.capacity_check import repeated_capacity
from memorize_jax.analysis.manifolds import compiled_network_geometries, geometry_rows
from memorize_jax.keys import stream
from memorize_jax.progress import bar
from memorize_jax.storage.tables import CAPACITY_CHECK


@analysis("capacity_check")
def run(trained: Trained, config: CapacityCheckConfig, geometry: GeometryConfig) -> None:
    """Measures the three capacities of a run and writes results/capacity_check.csv.

    Args:
      trained: the run.
      config: CapacityCheckConfig.
      geometry: which manifolds, and how mean-field and joint capacity are measured; its margin is not used:
        simulations have none.
    """
    seed, train, test = trained.config.seed, trained.splits.train, trained.splits.test
    epochs = trained.select_epochs(config.capacity_epochs)
    limits = [limit for limit in (config.capacity_classes, geometry.max_classes) if limit is not None]
    geometry = dataclasses.replace(geometry, max_classes=min(limits, default=None))
    examples = choose_examples(trained.splits, trained.labels, geometry, seed=seed)
    names, numbers = zip(*trained.layers.items(), strict=True)
    model, statistics = trained.model(), trained.statistics
    options = geometry_options(dataclasses.replace(geometry, kappa=0.0))
    read = flat_reader(model, statistics, names[1:])

    units = [(epoch, group) for epoch in epochs for group in examples]
    load = functools.lru_cache(maxsize=1)(trained.store.load)
    with bar("capacity check", "layer", len(units) * len(numbers)) as progress:

        def measured(unit):
            epoch, group = unit
            variables = load(epoch)
            images = (test if group == "test" else train).images[examples[group]]
            found = compiled_network_geometries(
                model, variables, images, statistics, stream(seed, "geometry"), layers=names[1:], options=options
            )
            theory = geometry_rows(found.mean_field, names, {}, joint=found.joint)
            flat = images.reshape(-1, *images.shape[2:])
            rows = []
            for index, (name, (shown,)) in enumerate(hosted_activations(read, variables, [flat], names)):
                progress.set_postfix(epoch=epoch, group=group, layer=name)
                own, points = theory[index], shown.reshape(*examples[group].shape, -1)
                simulated = repeated_capacity(
                    points,
                    key=stream(seed, "capacity check"),
                    num_repetitions=config.capacity_repetitions,
                    num_dichotomies=config.capacity_dichotomies,
                    expected=own["capacity"] if own["capacity"] > 0 else None,
                )
                progress.update()
                rows.append(
                    {
                        "seed": seed,
                        "epoch": epoch,
                        "layer": name,
                        "layer_number": numbers[index],
                        "group": group,
                        "mean_field_capacity": own["capacity"],
                        "mean_field_standard_error": own["capacity_standard_error"],
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
                        "joint_standard_error": own["joint_capacity_standard_error"],
                        **{name: own[name] for name in ("joint_capacity", "joint_classes", "joint_status")},
                    }
                )
            return rows

        settings = {
            "check": dataclasses.asdict(dataclasses.replace(config, capacity_epochs="")),
            "geometry": dataclasses.asdict(dataclasses.replace(geometry, geometry_epochs="")),
        }
        trained.make_table("capacity_check", CAPACITY_CHECK, units, measured, settings=settings)


if __name__ == "__main__":
    manifolds = cli.settings(GeometryConfig, "examples_per_class", "num_draws", "num_center_components", "joint_draws")
    parts = ("capacity_check", "geometry")
    command = functools.partial(run_chosen, "capacity_check", run, ("fig1b",), parts)
    cli.start(command, *cli.of_analysis(CapacityCheckConfig), manifolds)
