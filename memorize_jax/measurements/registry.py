"""All measurements, a line for each; everything that lists them asks here."""

import functools
import importlib
import pathlib
from collections.abc import Iterable

from memorize_jax.claims.statement import Statement
from memorize_jax.config import Settings
from memorize_jax.figures.figure import Figure
from memorize_jax.measurements.measurement import Measurement, Table
from memorize_jax.studies.reading import read_study
from memorize_jax.studies.study import Columns, Study

# In the order of a report. A measurement of your own: its room, and one line here.
ROOMS = (
    "memorize_jax.measurements.examples",
    "memorize_jax.measurements.capacity_check",
    "memorize_jax.measurements.training",
    "memorize_jax.measurements.umap",
    "memorize_jax.measurements.per_example",
    "memorize_jax.measurements.spheres",
    "memorize_jax.measurements.geometry",
    "memorize_jax.measurements.collapse",
    "memorize_jax.measurements.few_shot",
    "memorize_jax.measurements.similarity",
    "memorize_jax.measurements.rewinding",
    "memorize_jax.measurements.retraining",
    "memorize_jax.measurements.flipping",
    "memorize_jax.measurements.double_descent",
    "memorize_jax.measurements.gradients",
    "memorize_jax.measurements.fractions",
    "memorize_jax.measurements.epochwise",
    "memorize_jax.measurements.decoding",
    "memorize_jax.measurements.scores",
)


@functools.cache
def _load(rooms):
    return {one.name: one for one in (importlib.import_module(room).MEASUREMENT for room in rooms)}


def measurements() -> dict[str, Measurement]:
    """Name -> Measurement, of all rooms."""
    return _load(ROOMS)


def order_of_work(some: Iterable[Measurement]) -> list[Measurement]:
    """Measurements in the order in which they are best made: as given, but for those that take rows of others."""
    waiting, done = {one.name: one for one in some}, []

    def add(one):
        for name in one.takes_rows_of:
            if name in waiting:
                add(waiting[name])
        if waiting.pop(one.name, None):
            done.append(one)

    for one in list(waiting.values()):
        add(one)
    return done


def get_measurement(name: str) -> Measurement:
    """Looks up a measurement; raises ValueError for a name that there is not."""
    if name not in measurements():
        raise ValueError(f"expected a measurement among {', '.join(measurements())}, got {name!r}")
    return measurements()[name]


def settings_classes() -> dict[str, type[Settings]]:
    """Name of a measurement -> class of its settings, of those that have some."""
    return {name: one.settings for name, one in measurements().items() if one.settings}


def tables() -> dict[str, tuple[Table, str]]:
    """Name of a table -> (Table, name of the measurement that makes it)."""
    return {table: (about, name) for name, one in measurements().items() for table, about in one.tables.items()}


def figures() -> dict[str, Figure]:
    """Name -> entry of the catalog of figures, in the order of a report."""
    return {figure.name: figure for one in measurements().values() for figure in one.figures}


def statements() -> tuple[Statement, ...]:
    """All statements of the claims sheet."""
    return tuple(statement for one in measurements().values() for statement in one.statements)


def open_study(workdir: str | pathlib.Path) -> Study:
    """Reads all tables of the run, or runs, in a folder; see `studies.read_study`."""
    known = {table: Columns(about.columns, name, about.text, about.added) for table, (about, name) in tables().items()}
    return read_study(workdir, known)
