"""Maini et al. (2023): memorized examples hang on few units, and these are in all layers."""

import numpy as np

from memorize_jax.claims.evidence import Evidence, NotTestable
from memorize_jax.claims.statement import NOTICEABLE, Statement, below, stating
from memorize_jax.measurements.flipping.counts import ANY, median_flipped, relative_error_of_median

# A layer with more of the units than this has most of them.
MOST = 0.5
STATEMENTS: list[Statement] = []
stated = stating(STATEMENTS, needs=("metrics", "flipping"))


def _ratio_of_medians(evidence: Evidence) -> tuple[float, float]:
    """The median of permuted examples over that of unpermuted ones, and its standard error over the examples."""
    table = evidence.tables["flipping"]
    table, medians, errors = table[table["layer"] == ANY], {}, []
    for kind, name in ((True, "permuted"), (False, "unpermuted")):
        rows = table[table["is_permuted"].astype(bool) == kind]
        own = median_flipped(rows)
        if own.empty:
            raise NotTestable(f"there are no {name} examples that the final network gets right")
        if own.isna().any():
            raise NotTestable(f"half of the {name} examples did not flip; raise --flip_most")
        medians[name] = float(own.iloc[0])
        # What did not flip takes more than was tried: the order is all that counts.
        counts = rows["num_flipped"].where(rows["is_flipped"].astype(bool), np.inf)
        errors.append(relative_error_of_median(counts.to_numpy()))
    ratio = medians["permuted"] / medians["unpermuted"]
    return ratio, ratio * float(np.hypot(*errors))


@stated(
    "Maini et al. 2023",
    "Memorized wrong labels hang on fewer units than labels that were not permuted.",
    "median number of units to switch off, of any layer, until the prediction flips, permuted over unpermuted examples",
    below(1 - NOTICEABLE, "a tenth fewer"),
    error=lambda evidence: _ratio_of_medians(evidence)[1],
)
def _memorized_hang_on_fewer_units(evidence):
    evidence.require("memorized", "unpermuted labels")
    return _ratio_of_medians(evidence)[0]


@stated(
    "Maini et al. 2023",
    "The units that memorized examples hang on are dispersed over the layers: none has most of them.",
    "share of the units whose removal flips permuted examples that are in one layer, the largest of any hidden layer, "
    "plus a standard error of the sample of examples",
    below(MOST, "half: with more, one layer may have most of them"),
    every_seed=True,
    needs=("metrics", "flipping_layers"),
)
def _units_of_memorized_are_dispersed(evidence):
    evidence.require("early and late layers", "memorized")
    table = evidence.tables["flipping_layers"]
    own = table[table["is_permuted"].astype(bool)]
    if own.empty:
        raise NotTestable("no permuted example was flipped")
    largest = own.loc[own["share"].idxmax()]
    # Of a mean of numbers from 0 to 1, at most.
    error = np.sqrt(largest["share"] * (1 - largest["share"]) / largest["num_examples"])
    return float(largest["share"] + error)
