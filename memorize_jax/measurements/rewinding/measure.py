"""How the layers of a run are rewound: a unit of work for every group of layers and epoch."""

import jax.numpy as jnp

from memorize_jax.data import standardize
from memorize_jax.keys import stream
from memorize_jax.measurements.measurement import Work
from memorize_jax.measurements.rewinding import RewindingSettings
from memorize_jax.measurements.rewinding.sources import SELF
from memorize_jax.measurements.rewinding.transplant import directions, recalibrated, rewinding_row, rewound_network
from memorize_jax.models import Layer, norm_modules, select_groups
from memorize_jax.runs.run import Run
from memorize_jax.training.devices import mixed_batches


def plan(run: Run, settings: RewindingSettings) -> Work:
    """Evaluates the network of every point of the grid by one compiled program.

    Of the earlier epochs, and of another run, only the layers that are moved are read, unless they stay and the final
    network's move.
    """
    layers = _layers(run)
    chosen = select_groups(settings.rewind_layers, layers, "rewind_layers")
    groups = {group.name: group for group in chosen}
    donors = {SELF: run} | ({settings.source: _open_source(run, settings.source)} if settings.source else {})
    units = [
        (source, into, name, epoch)
        for source, donor in donors.items()
        for into in directions(settings.rewind_into)
        for name in groups
        for epoch in donor.select_epochs(settings.rewind_epochs)
    ]
    if settings.bn == "recalibrate" and run.noted.network is not None:
        raise ValueError("expected bn other than recalibrate for a run that was watched, which only its program trains")
    if settings.bn in ("keep", "rewind_stats_only"):
        _check_norms_are_known(run, settings.bn)
    evaluate, last, bn = run.evaluator(), run.final_epoch, settings.bn
    num_test = len(run.splits.test.labels)

    def rows(unit):
        source, into, name, epoch = unit
        donor, group = donors[source], groups[name]
        final = run.network(last)
        variables = rewound_network(group, epoch, final, donor.network, donor.network_layers, into=into, bn=bn)
        if bn == "recalibrate":
            variables = _recalibrated(run, variables)
        about = {"seed": run.config.seed, "into": into, "bn": bn, "source": source, "num_test": num_test}
        return [rewinding_row(group, epoch, evaluate(variables), **about)]

    reads = lambda unit: [last, *([unit[3]] if unit[0] == SELF else [])]
    reads_of_others = lambda unit: [] if unit[0] == SELF else [(donors[unit[0]], unit[3])]
    depends_on = settings.apart_from_epochs("rewind_layers", "rewind_into", "source")
    return Work(units, rows, reads, reads_of_others, depends_on=depends_on, counted="network")


def _open_source(run: Run, workdir: str) -> Run:
    """Another run whose layers fit into the network; raises ValueError for one whose do not, or of other data."""
    source = run.open_other(workdir)
    of = lambda one: f"{one.config.model} of width {one.config.width or 'as published'}, scaling {one.config.scaling}"
    if of(source) != of(run):
        raise ValueError(f"expected source to hold a run of {of(run)}, got {of(source)} in {workdir}")
    return source


def _layers(run: Run) -> list[Layer]:
    """Those that can be moved, with all modules that hold something of them."""
    if run.noted.network is None:
        return list(run.analyzed_layers)
    # Modules with parameters are noted; of others, as BatchNorm without scale and offset, the network knows.
    state = run.model().state
    found = [layer._replace(held=(*layer.modules, *state.get(layer.name, ()))) for layer in run.analyzed_layers]
    # A layer of another library's network may hold nothing, as one that only reshapes.
    return [layer for layer in found if layer.modules]


def _check_norms_are_known(run: Run, bn: str) -> None:
    """Raises ValueError for a function of parameters none of whose modules is known to be a norm: it may have some."""
    is_function = run.noted.network is not None and run.noted.network["library"] == "function"
    if is_function and not norm_modules(run.network(run.final_epoch)):
        raise ValueError(
            "expected bn=with_layer for a network that is a function of its parameters, which do not say what in them "
            f"is a norm, got {bn}"
        )


def _recalibrated(run, variables):
    images = run.splits.train.images
    # The same batches for every network.
    mixed = mixed_batches(stream(run.config.seed, "recalibration batches"), len(images), run.config.batch_size)
    batches = ((standardize(jnp.asarray(images[batch.indices[0]]), run.statistics), batch.mask[0]) for batch in mixed)
    return recalibrated(run.model(dropout=0.0), variables, batches)
