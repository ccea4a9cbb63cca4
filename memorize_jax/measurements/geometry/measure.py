"""How the geometry of a run is measured: a unit of work for every epoch and group."""

import jax

from memorize_jax.activations import flat_reader, hosted_activations
from memorize_jax.analysis.examples import choose_repeatedly
from memorize_jax.analysis.manifold_rows import geometry_rows, missing_rows, warn_of, with_example_spread
from memorize_jax.analysis.manifolds import compiled_network_geometries, compiled_network_participation
from memorize_jax.analysis.settings import GeometrySettings
from memorize_jax.keys import stream
from memorize_jax.measurements.geometry.two_nn import skdim_version, two_nn_dimension
from memorize_jax.measurements.measurement import Work
from memorize_jax.runs.run import Run


def plan(run: Run, settings: GeometrySettings) -> Work:
    """Measures every group at every epoch; an epoch whose network is damaged has rows without numbers."""
    seed, splits, labels = run.config.seed, run.splits, run.labels
    choices = choose_repeatedly(splits, labels, settings, seed=seed)
    layers, numbers = zip(*run.layers.items(), strict=True)
    model, key, options = run.model(), stream(seed, "geometry"), settings.options()
    # No part of what the numbers depend on.
    options = (*options, ("devices", jax.local_device_count()))
    read, asked = flat_reader(model, run.statistics, layers[1:]), settings.apart_from_epochs()
    if settings.two_nn:
        asked["scikit-dimension"] = skdim_version()

    def about(unit):
        epoch, group = unit
        return {"seed": seed, "epoch": epoch, "group": group, "kappa": settings.kappa}

    def rows(unit):
        epoch, group = unit
        repeats = []
        for chosen in choices[group]:
            images = (splits.test if group == "test" else splits.train).images[chosen]
            found = compiled_network_geometries(
                model, run.network(epoch), images, run.statistics, key, layers=layers[1:], options=options
            )
            directions = None
            if not repeats:
                warn_of(splits, labels, found, epoch, group, chosen)
                directions = compiled_network_participation(
                    model, run.network(epoch), images, run.statistics, layers=layers[1:]
                )
            parts = {"joint": found.joint, "participation": directions, "numbers": numbers}
            repeats.append(geometry_rows(found.mean_field, layers, about(unit), **parts))
        rows = with_example_spread(repeats)
        return with_two_nn(rows, epoch, group) if settings.two_nn else rows

    def with_two_nn(rows, epoch, group):
        images = (splits.test if group == "test" else splits.train).images[choices[group][0].ravel()]
        shown = hosted_activations(read, run.network(epoch), [images], layers)
        found = {name: two_nn_dimension(points) for name, (points,) in shown}
        return [{**row, "two_nn_dimension": found[row["layer"]]} for row in rows]

    def instead(unit):
        shape = choices[unit[1]][0].shape
        return missing_rows(layers, about(unit), shape=shape, num_draws=settings.num_draws, numbers=numbers)

    units = [(epoch, group) for epoch in run.select_epochs(settings.geometry_epochs) for group in choices]
    return Work(units, rows, lambda unit: [unit[0]], depends_on=asked, instead=instead, counted="group")
