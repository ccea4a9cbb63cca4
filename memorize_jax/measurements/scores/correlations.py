"""How well cheap scores of one run rank examples as memorization does, which takes many networks."""

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

# Score in per_example.csv -> whether more of it means more memorization.
CHEAP_SCORES = {
    "cumulative_loss": True,
    "aum": False,
    "learned_epoch": True,
    "forgotten": True,
    "loss_best": True,
    "prediction_depth_final": True,
}


def rank_correlations(scores: pd.DataFrame, per_example: pd.DataFrame) -> dict[str, float]:
    """Spearman's rank correlation of every cheap score with memorization, over the training examples of one seed.

    The sign is such that 1 is the same order from least to most memorized; NaN where a score is the same for all.

    Args:
      scores: of the table memorization_scores.
      per_example: of the table per_example.
    """
    both = scores.dropna(subset=["memorization"]).merge(per_example, on="example", suffixes=("", "_dynamics"))
    return {name: _correlation(both["memorization"], both[name], more) for name, more in CHEAP_SCORES.items()}


def _correlation(memorized, score, more):
    known = score.notna()
    if score[known].nunique() < 2 or memorized[known].nunique() < 2:
        return float("nan")
    found = float(np.asarray(spearmanr(memorized[known], score[known]))[0])
    return found if more else -found
