"""How capacities of a run are compared: a unit of work for every epoch and group."""

import dataclasses

import jax

from memorize_jax.activations import flat_reader, hosted_activations
from memorize_jax.analysis.examples import choose_examples
from memorize_jax.analysis.manifold_rows import geometry_rows
from memorize_jax.analysis.manifolds import compiled_network_geometries
from memorize_jax.analysis.settings import GeometrySettings
from memorize_jax.keys import stream
from memorize_jax.measurements.capacity_check import CapacityCheckSettings
from memorize_jax.measurements.capacity_check.simulation import repeated_capacity
from memorize_jax.measurements.measurement import Work
from memorize_jax.runs.earlier import earlier_rows
from memorize_jax.runs.run import Run

# Settings of the geometry that do not change the numbers of the first choice of examples.
ADDED_TO_ROWS = "example_repeats", "two_nn"


def plan(run: Run, settings: CapacityCheckSettings, geometry: GeometrySettings) -> Work:
    """Measures the three capacities of every layer and group; without a margin, which simulations do not have.

    Both theories are taken from the table of the geometry where it has the same manifolds, measured in the same way.
    """
    seed, train, test = run.config.seed, run.splits.train, run.splits.test
    limits = [limit for limit in (settings.capacity_classes, geometry.max_classes) if limit is not None]
    geometry = dataclasses.replace(geometry, max_classes=min(limits, default=None))
    examples = choose_examples(run.splits, run.labels, geometry, seed=seed)
    names, numbers = zip(*run.layers.items(), strict=True)
    model, statistics = run.model(), run.statistics
    without_margin = dataclasses.replace(geometry, kappa=0.0)
    asked = {name: own for name, own in without_margin.apart_from_epochs().items() if name not in ADDED_TO_ROWS}
    # As in the geometry, so that there is one program for both.
    options = (*without_margin.options(), ("devices", jax.local_device_count()))
    read = flat_reader(model, statistics, names[1:])

    def theory_of(epoch, group, variables, images):
        """Rows of the geometry, one a layer."""
        there = earlier_rows(run, "geometry", asked, (epoch, group), [epoch])
        if there and tuple(row["layer"] for row in there) == names:
            return there
        found = compiled_network_geometries(
            model, variables, images, statistics, stream(seed, "geometry"), layers=names[1:], options=options
        )
        return geometry_rows(found.mean_field, names, {}, joint=found.joint)

    def rows(unit):
        epoch, group = unit
        variables = run.network(epoch)
        images = (test if group == "test" else train).images[examples[group]]
        theory = theory_of(epoch, group, variables, images)
        flat = images.reshape(-1, *images.shape[2:])
        result = []
        for index, (name, (shown,)) in enumerate(hosted_activations(read, variables, [flat], names)):
            own, points = theory[index], shown.reshape(*examples[group].shape, -1)
            simulated = repeated_capacity(
                points,
                key=stream(seed, "capacity check"),
                num_repetitions=settings.capacity_repetitions,
                num_dichotomies=settings.capacity_dichotomies,
                expected=own["capacity"] if own["capacity"] > 0 else None,
            )
            sizes = ("num_classes", "examples_per_class", "num_inputs")
            result.append(
                {
                    **{"seed": seed, "epoch": epoch, "layer": name, "layer_number": numbers[index], "group": group},
                    "mean_field_capacity": own["capacity"],
                    "mean_field_standard_error": own["capacity_standard_error"],
                    "simulated_capacity": simulated.capacity,
                    "simulated_standard_error": simulated.standard_error,
                    **{"bound": simulated.bound, "undecided": simulated.undecided},
                    **dict(zip(sizes, points.shape, strict=True)),
                    "num_draws": geometry.num_draws,
                    "num_dichotomies": settings.capacity_dichotomies,
                    "num_repetitions": settings.capacity_repetitions,
                    "joint_standard_error": own["joint_capacity_standard_error"],
                    **{column: own[column] for column in ("joint_capacity", "joint_classes", "joint_status")},
                }
            )
        return result

    units = [(epoch, group) for epoch in run.select_epochs(settings.capacity_epochs) for group in examples]
    return Work(units, rows, lambda unit: [unit[0]], counted="group")
