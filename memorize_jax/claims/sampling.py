"""How far draws and the choice of examples move a quantity of one seed."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from memorize_jax.claims.evidence import Evidence, NotTestable
from memorize_jax.claims.geometries import MEASURES


class SamplingError(NamedTuple):
    """A standard error in units of the quantity, and what is in it.

    Attributes:
      size: infinite where it is not known.
      sources: "draws", "draws and examples", or the latter with a word where some groups have no other examples.
    """

    size: float
    sources: str


def sampling_error(measure: Callable[[Evidence], float], evidence: Evidence) -> SamplingError | None:
    """Propagates the errors of the geometry's measures to a quantity.

        sum of squares, over groups and epochs, of how far the quantity goes when all layers go one error up or down

    Layers of a group have the same draws and examples, so that they go together; groups have other examples. Epochs
    count as independent, which overstates the error of what hardly changes between them.
    Infinite where the quantity cannot be had one error up or down, for nothing says how far it goes.
    None where the measures have no errors, as radii of tables without other examples.
    """
    geometry = evidence.tables["geometry"]
    rows = geometry[evidence.stage_rows("geometry")]
    errors = {name: geometry[f"{name}_error"] for name in MEASURES}
    ends = [{name: geometry[name] + sign * error for name, error in errors.items()} for sign in (-1, 1)]
    value, squares = measure(evidence), 0.0
    for _, own in rows.groupby([name for name in ("run", "group", "epoch") if name in rows]):
        moved = np.abs([_moved(measure, evidence, own.index, end) - value for end in ends])
        squares += np.max(np.where(np.isnan(moved), np.inf, moved)) ** 2
    if not squares:
        return None
    with_examples = rows["with_examples"]
    sources = "draws and examples" if with_examples.any() else "draws"
    if with_examples.any() and not with_examples.all():
        sources += " (other examples of some groups alone)"
    return SamplingError(float(np.sqrt(squares)), sources)


def _moved(measure, evidence, index, end):
    """The quantity where the measures of some rows are at one end of their errors; NaN if it cannot be had there."""
    geometry = evidence.tables["geometry"]
    here = geometry.index.isin(index)
    moved = geometry.assign(**{name: geometry[name].mask(here, values) for name, values in end.items()})
    try:
        # A copy, for the reason that `geometries` gives.
        return measure(evidence._replace(tables={**evidence.tables, "geometry": moved.copy()}))
    except NotTestable:
        return np.nan
