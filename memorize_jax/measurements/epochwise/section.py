"""What the report says of test error over epochs."""

import numpy as np
import pandas as pd

from memorize_jax.measurements.epochwise.curves import course, error_curves, fitted_epoch
from memorize_jax.measurements.epochwise.figures import also_varying
from memorize_jax.pages.section import Section
from memorize_jax.pages.views import View, plain_view
from memorize_jax.studies.study import Study

NOTE = (
    "Minimum, peak, low and end, and the moves between them, are those of the smoothed curve that the figure draws "
    "thick: of the mean over seeds, at every epoch e the mean over the epochs from e / 1.25 to 1.25 e. Errors and "
    "moves are shares of the test images."
)


def turns(study: Study) -> pd.DataFrame:
    """How the test error of every permuted fraction goes: its turns, its moves, and when the labels were fitted.

    The columns are permuted_fraction, num_seeds, fitted_epoch (of the last seed; NaN if one never fits), minimum_epoch,
    minimum, peak_epoch, peak, low_epoch, low (NaN without a second descent), end_epoch, end, fall, rise, second_fall;
    errors and moves are shares of the test images, of the smoothed mean over seeds.
    """
    rows = []
    for fraction, own in study.tables["metrics"].groupby("permuted_fraction"):
        curves = error_curves(own)
        found = course(curves.to_numpy())
        fitted = [fitted_epoch(one) for _, one in own.groupby("seed")]
        row = {"permuted_fraction": fraction, "num_seeds": len(curves)}
        row["fitted_epoch"] = np.max(np.array(fitted, float))
        places = {"minimum": found.minimum, "peak": found.peak, "low": found.low, "end": len(found.errors) - 1}
        for name, epoch in places.items():
            known = epoch is not None
            row |= {f"{name}_epoch": epoch, name: found.errors[epoch]} if known else {f"{name}_epoch": None, name: None}
        rows.append(row | dict(zip(("fall", "rise", "second_fall"), found.moves, strict=True)))
    return pd.DataFrame(rows).astype(float)


def _turns(study: Study) -> View | None:
    if "permuted_fraction" not in study.axes or also_varying(study):
        return None
    return plain_view("test_error_over_epochs", turns(study))._replace(note=NOTE)


SECTION = Section(
    "Test error over epochs, by share of permuted labels", {"test_error_over_epochs": (("metrics",), _turns)}
)
