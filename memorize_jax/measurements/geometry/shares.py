"""In which layers memorization takes place: their shares of the rise of permuted capacity, of one run or of many."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from memorize_jax.claims.evidence import Evidence, NotTestable, by_layer
from memorize_jax.claims.geometries import JOINT, MEAN_FIELD, seen_by
from memorize_jax.claims.statement import NOTICEABLE
from memorize_jax.studies.study import Study

NEEDS = ("metrics", "geometry")
CONDITIONS = ("finished", "memorized", "peak", "hidden layer")


class Shares(NamedTuple):
    """Where the runs of a study memorize.

    Attributes:
      kind: of the capacity, "joint", or "mean-field" if no run has another.
      rows: of the combinations of settings that all of their seeds can tell of: the study's axes, seed, layer,
        layer_number, share.
      left_out: values of the axes of every other combination -> why.
    """

    kind: str
    rows: pd.DataFrame
    left_out: dict[tuple, str]


def layer_shares(evidence: Evidence) -> pd.Series:
    """Share of every hidden layer in what permuted capacity gains from the best to the final epoch.

        max(0, final - best) / sum over hidden layers of max(0, final - best)

    Raises:
      NotTestable: no layer gained a tenth: a share of next to nothing says where the noise is.
    """
    stages = (evidence.at_stage("geometry", stage) for stage in ("best", "final"))
    best, final = (by_layer(rows, "permuted", "capacity", evidence.hidden) for rows in stages)
    rises = (final - best).clip(lower=0)
    if not (rises / best).max() >= NOTICEABLE:
        raise NotTestable("in no layer permuted capacity rose by a tenth from the best to the final epoch")
    return rises / rises.sum()


def of_study(study: Study) -> Shares:
    """Measures the shares of every run of a study whose runs differ in its `axes`."""
    kind = JOINT if study.tables["geometry"]["joint_capacity"].notna().any() else MEAN_FIELD
    parts, left_out = [], {}
    for values, metrics in study.tables["metrics"].groupby(list(study.axes), sort=False):
        try:
            # All seeds or none: a mean over those that memorized would be a selection.
            parts += [_of_run(study, str(run), int(seed), kind) for run, seed in _runs(metrics)]
        except NotTestable as reason:
            left_out[values] = str(reason)
    columns = [*study.axes, "seed", "layer", "layer_number", "share"]
    rows = pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
    return Shares(kind, rows, left_out)


def _runs(metrics: pd.DataFrame) -> Sequence[tuple]:
    return list(metrics[["run", "seed"]].drop_duplicates().itertuples(index=False))


def _of_run(study: Study, run: str, seed: int, kind: str) -> pd.DataFrame:
    """The shares of one seed of a combination; raises NotTestable if they say nothing."""
    which = lambda table: table[(table["run"] == run) & (table["seed"] == seed)].reset_index(drop=True)
    tables = {name: which(study.tables[name]) for name in NEEDS}
    own = Evidence(study.workdir, study.model, study.dataset, study.layers, tables, (run, seed) in study.unfinished)
    named = f"seed {seed}: " if len(study.seeds) > 1 else ""
    try:
        if tables["geometry"].empty:
            made_by = study.command("geometry", study.workdir / run)
            raise NotTestable(f"there is no geometry; make it with: {made_by}")
        own.require(*CONDITIONS)
        shares = layer_shares(seen_by(own, kind))
    except NotTestable as error:
        raise NotTestable(f"{named}{error}") from None
    about = {name: tables["metrics"][name].iloc[0] for name in (*study.axes, "seed")}
    numbers = tables["geometry"].drop_duplicates("layer").set_index("layer")["layer_number"][shares.index].to_numpy()
    return pd.DataFrame({"layer": shares.index, "layer_number": numbers, "share": shares.to_numpy()}).assign(**about)


def summary(study: Study) -> pd.DataFrame:
    """The shares as numbers to cite.

    Its columns are the study's axes, layer, layer_number, share (mean), low, high, num_seeds and capacity: of which one
    they are, joint or mean-field. Low and high are the lowest and the highest seed: an interval about a mean of shares
    reaches below 0 and above 1.
    """
    found = of_study(study)
    grouped = found.rows.groupby([*study.axes, "layer", "layer_number"], sort=False)["share"]
    means = grouped.agg(share="mean", low="min", high="max", num_seeds="count").reset_index()
    return means.assign(capacity=found.kind)
