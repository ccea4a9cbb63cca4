"""Where permuted manifolds gain capacity in each run of a sweep: a row for each layer, a column for each run."""

from collections.abc import Sequence

import pandas as pd

from benchmarks import tables
from benchmarks.comparison import Judged
from memorize_jax.claims.manifolds import bound_multiples
from memorize_jax.studies.study import Study

STAGES = ("best", "final")


def table(runs: Sequence[Judged]) -> str:
    """Joint capacity of permuted manifolds in units of the bound 2/M, at the best and at the final epoch, as Markdown.

    Args:
      runs: of a sweep, by name; all have the same layers, one seed and joint capacity.

    Raises:
      NotTestable: a capacity is missing.
    """
    found = {one.name: _multiples(one.study) for one in runs}
    layers = runs[0].study.layers
    said = lambda own, layer: " → ".join(f"{value:.2f}" for value in own.loc[layer])
    rows = [(layer, *(said(own, layer) for own in found.values())) for layer in layers]
    return tables.of_rows(("layer", *found), rows)


def _multiples(study: Study) -> pd.DataFrame:
    """Capacity over the bound, a row for each layer, a column for each stage; of one seed."""
    stages = {}
    for stage in STAGES:
        rows = study.at_stage("geometry", stage)
        stages[stage] = bound_multiples(rows.assign(capacity=rows["joint_capacity"]), study.layers)
    return pd.DataFrame(stages)
