"""What several statements on manifolds share: the lower bound of capacity, and thresholds."""

from collections.abc import Sequence

import pandas as pd

from memorize_jax.claims.evidence import NotTestable, by_layer

# Permuted capacity up to this multiple of 2/M counts as near the bound.
NEAR_BOUND = 1.25
TENTH = "a tenth: three times what other examples of the classes move a measure (3.3 %), eight times what draws do"
# The groups of true labels.
TRUE = ("unpermuted", "restored", "test")


def bound_multiples(rows: pd.DataFrame, layers: Sequence[str]) -> pd.Series:
    """Capacity of permuted manifolds, by layer, in units of the lower bound 2/M; NotTestable if it has a margin."""
    if (rows["kappa"] != 0).any():
        raise NotTestable("the lower bound 2/M is one without margin; measure with --kappa=0")
    per_class = by_layer(rows, "permuted", "examples_per_class", layers)
    return by_layer(rows, "permuted", "capacity", layers) * per_class / 2
