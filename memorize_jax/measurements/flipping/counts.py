"""How many units it takes to flip a prediction."""

import numpy as np
import pandas as pd
from jaxtyping import Real

# A search in all layers together.
ANY = "any"
# Fewer numbers hold the median of what they are drawn from with a probability of a half at most.
FEWEST = 3


def median_flipped(table: pd.DataFrame) -> pd.Series:
    """Median number of units by seed and layer searched; NaN where half of the examples or more did not flip."""
    counts = table["num_flipped"].where(table["is_flipped"].astype(bool), np.inf)
    medians = counts.groupby([table["seed"], table["layer"]]).median()
    return medians.replace(np.inf, np.nan)


def least_median_flipped(table: pd.DataFrame) -> pd.Series:
    """Least that the median can be, by seed and layer searched: what did not flip takes more units than were tried.

    The median itself where `median_flipped` is a number; where that is NaN the median is more than this.
    """
    return table["num_flipped"].astype(float).groupby([table["seed"], table["layer"]]).median()


def relative_error_of_median(counts: Real[np.ndarray, " n"]) -> float:
    """Standard error of a median, relative to it, from the order statistics around it.

        ln(x_(n/2 + sqrt(n)/2) / x_(n/2 - sqrt(n)/2)) / 2

    which hold the median of what the n positive numbers are drawn from with a probability of 68 %, whatever that is.
    Infinite, which is not known, for fewer numbers than `FEWEST`; 0 if those around the median are equal, as counts
    may be: ties make that probability no smaller.
    """
    ordered, num = np.sort(counts), len(counts)
    if num < FEWEST:
        return float("inf")
    low = max(0, int(np.ceil((num - np.sqrt(num)) / 2)) - 1)
    return float(np.log(ordered[num - 1 - low] / ordered[low]) / 2)
