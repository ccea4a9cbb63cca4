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
    """Adds where the cell of each row begins and ends, and where it stands on the slider.

    Args:
      rows: of one run, with the column `epoch`.
      steps: epochs of the run's slider, in order.

    Returns:
      The rows with `start` and `end`, halfway to the neighboring epochs on the axis symlog(epoch); `at`, the step of
      that very epoch, NaN if there is none; and `nearest`, the step that a click on the cell leads to.
    """
    epochs = np.unique(rows["epoch"].to_numpy(int))
    edges = _edges(epochs.astype(float))
    places = np.asarray(steps, float)
    nearest = [int(np.abs(_place(places) - _place(np.float64(epoch))).argmin()) for epoch in epochs]
    at = [step if steps[step] == epoch else np.nan for step, epoch in zip(nearest, epochs, strict=True)]
    cells = {"epoch": epochs, "start": edges[:-1], "end": edges[1:], "at": at, "nearest": nearest}
    return rows.merge(pd.DataFrame(cells), on="epoch", how="left")


def _place(epochs):
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
