"""How many units it takes to flip a prediction."""

import numpy as np
import pandas as pd

# A search in all layers together.
ANY = "any"


def median_flipped(table: pd.DataFrame) -> pd.Series:
    """Median number of units by seed and layer searched; NaN where half of the examples or more did not flip."""
    counts = table["num_flipped"].where(table["is_flipped"].astype(bool), np.inf)
    medians = counts.groupby([table["seed"], table["layer"]]).median()
    return medians.replace(np.inf, np.nan)
