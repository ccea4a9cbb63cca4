"""Stephenson and Lee (2021): epochwise double descent takes label noise; with too much of it early stopping wins."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from memorize_jax.claims.evidence import CONDITIONS, Evidence, NotTestable
from memorize_jax.claims.shapes import LEAST_ACCURACY, TWO_POINTS, descents, moves
from memorize_jax.claims.statement import Statement, above, below, stating
from memorize_jax.measurements.epochwise.curves import FITTED, error_curves, fitted_epoch, smoothed

# Without any between them there is no middle.
FEWEST_FRACTIONS = 3
# A second descent comes with fitting the labels, or later: training must have gone on for as long again.
LONG_ENOUGH = 2


def _curves(evidence: Evidence) -> pd.DataFrame:
    """Test error of one seed by fraction and epoch, beside it the epoch at which the labels of the fraction are fitted.

    Raises NotTestable unless training is long enough for a second descent.
    """
    metrics = evidence.tables["metrics"]
    fractions = metrics["permuted_fraction"].nunique()
    if fractions < FEWEST_FRACTIONS:
        raise NotTestable(f"{fractions} permuted fractions are too few; train at least {FEWEST_FRACTIONS}")
    evidence.require("finished")
    found = {}
    for fraction, own in metrics.groupby("permuted_fraction"):
        fitted, last = fitted_epoch(own), int(own["epoch"].max())
        reason = _too_short(fitted, last) if fitted is not None else _not_fitted(own)
        if not reason and not found:
            # A network that learns nothing does not descend twice either.
            reason = _learned_nothing(evidence, own)
        if reason:
            raise NotTestable(f"permuted fraction {fraction:g}: {reason}")
        found[fraction] = error_curves(own).iloc[0].rename("error").to_frame().assign(fitted=fitted)
    return pd.concat(found)


def _learned_nothing(evidence: Evidence, metrics: pd.DataFrame) -> str:
    return CONDITIONS["learned"](evidence._replace(tables={"metrics": metrics}))


def _not_fitted(metrics: pd.DataFrame) -> str:
    most = metrics["train_accuracy"].max()
    return f"the labels were not fitted, training accuracy is {most:.1%} at most, and {FITTED:.0%} is needed"


def _too_short(fitted: int, last: int) -> str:
    """Why training to an epoch is too short to tell whether a second descent comes; "" if it is not."""
    if last >= LONG_ENOUGH * fitted:
        return ""
    return f"the labels were fitted at epoch {fitted} and training ended at {last}; train {LONG_ENOUGH} times as long"


def _by_fraction(seeds: Sequence[pd.DataFrame]) -> dict[float, np.ndarray]:
    """Fraction -> smoothed curves [seeds, epochs], of the epochs that all seeds have; fractions in order.

    Raises NotTestable where these epochs are too few for the seed that fits its labels last.
    """
    together = pd.concat([own["error"] for own in seeds], axis="columns").dropna()
    curves = {}
    for fraction, own in together.groupby(level=0):
        latest, last = max(int(seed.loc[fraction, "fitted"].iloc[0]) for seed in seeds), own.index[-1][1]
        if reason := _too_short(latest, last):
            raise NotTestable(f"permuted fraction {fraction:g}: in the epochs that all seeds have, {reason}")
        curves[fraction] = smoothed(own.to_numpy().T)
    return curves


def _moves(curves: np.ndarray) -> np.ndarray:
    """The three moves of every seed, [seeds, 3], in units of what counts, between the turns of the mean curve."""
    return moves(curves, descents(curves.mean(axis=0))) / LEAST_ACCURACY


def _at_least_noise(seeds: Sequence[pd.DataFrame]) -> np.ndarray:
    least, *_ = _by_fraction(seeds).values()
    return _moves(least)


def _at_middle_noise(seeds: Sequence[pd.DataFrame]) -> np.ndarray:
    _, *middle, _ = _by_fraction(seeds).values()
    return max(map(_moves, middle), key=lambda found: found.mean(axis=0).min())


def _rise_at_most_noise(seeds: Sequence[pd.DataFrame]) -> np.ndarray:
    found = _by_fraction(seeds)
    curves = found[max(fraction for fraction in found if fraction < 1)]
    best = curves.mean(axis=0).argmin()
    return (curves[:, -1:] - curves[:, [best]]) / LEAST_ACCURACY


MOVES = (
    "least of the three moves by which test error falls, rises and falls again over epochs, in units of two points; "
    "mean over seeds and over the epochs from e / 1.25 to 1.25 e; {}"
)
STATEMENTS: list[Statement] = []
stated = stating(STATEMENTS, axes=("permuted_fraction",))
SOURCE = "Stephenson and Lee 2021"


@stated(
    SOURCE,
    "Without enough label noise test error does not descend twice over epochs.",
    MOVES.format("at the smallest permuted fraction"),
    below(1, TWO_POINTS),
    over_seeds=_at_least_noise,
)
def _little_noise_descends_once(evidence):
    return _curves(evidence)


@stated(
    SOURCE,
    "With some label noise test error descends twice over epochs.",
    MOVES.format("the largest of any permuted fraction between the smallest and the largest"),
    above(1, TWO_POINTS),
    over_seeds=_at_middle_noise,
)
def _some_noise_descends_twice(evidence):
    return _curves(evidence)


@stated(
    SOURCE,
    "With much label noise early stopping stays best.",
    "test error at the end less the lowest of any epoch, in units of two points, at the largest permuted fraction "
    "below 1, with which there is something to learn; mean over seeds and over the epochs from e / 1.25 to 1.25 e",
    above(1, TWO_POINTS),
    over_seeds=_rise_at_most_noise,
)
def _much_noise_is_best_stopped_early(evidence):
    curves, metrics = _curves(evidence), evidence.tables["metrics"]
    fractions = metrics["permuted_fraction"]
    most = fractions[fractions < 1].max()
    if reason := _learned_nothing(evidence, metrics[fractions == most]):
        raise NotTestable(f"permuted fraction {most:g}: {reason}")
    return curves
