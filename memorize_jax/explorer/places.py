"""Places on an axis of epochs: cells of a map that leave no gap, and which epoch stands at a step of the slider."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def thinned(epochs: Sequence[int], most: int) -> list[int]:
    """At most so many of some epochs, the first and the last among them, evenly spaced on a logarithmic axis."""
    found = sorted(set(epochs))
    if len(found) <= most:
        return found
    places = _place(np.asarray(found, float))
    targets = np.linspace(places[0], places[-1], most)
    return sorted({found[int(np.abs(places - target).argmin())] for target in targets})


def with_cells(rows: pd.DataFrame, steps: Sequence[int]) -> pd.DataFrame:
    """Adds where the cell of each row begins and ends, and at which steps of the slider it is shown.

    Args:
      rows: of one run, with the column `epoch`.
      steps: epochs of the slider, in order; those of the rows are among them.

    Returns:
      The rows with `start` and `end`, halfway to the neighboring epochs on the axis symlog(epoch); and with `first` and
      `last`, steps: an epoch is shown until the next one that was measured.
    """
    epochs = sorted({int(epoch) for epoch in rows["epoch"]})
    edges = _edges(np.asarray(epochs, float))
    begins = [list(steps).index(epoch) for epoch in epochs]
    begins[0] = 0
    ends = [*(begin - 1 for begin in begins[1:]), len(steps) - 1]
    cells = pd.DataFrame({"epoch": epochs, "start": edges[:-1], "end": edges[1:], "first": begins, "last": ends})
    return rows.merge(cells, on="epoch", how="left")


def _place(epochs: np.ndarray) -> np.ndarray:
    """symlog(x) = sign(x) log(1 + |x|), the axis of Vega with the constant 1."""
    return np.sign(epochs) * np.log1p(np.abs(epochs))


def _edges(epochs: np.ndarray) -> np.ndarray:
    places = _place(epochs)
    if len(places) == 1:
        places = np.array([places[0] - 0.25, places[0] + 0.25])
        return _epoch(places)
    middles = (places[1:] + places[:-1]) / 2
    # Not wider than a usual cell, however far the next epoch is.
    wide = np.minimum(np.array([places[1] - places[0], places[-1] - places[-2]]) / 2, 0.3)
    return _epoch(np.concatenate([[places[0] - wide[0]], middles, [places[-1] + wide[1]]]))


def _epoch(places: np.ndarray) -> np.ndarray:
    return np.sign(places) * np.expm1(np.abs(places))
