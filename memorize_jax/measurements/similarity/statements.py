"""Which layers memorizing changes, seen by the similarity of layers (no statements of the paper)."""

import pandas as pd

from memorize_jax.claims.evidence import Evidence, NotTestable
from memorize_jax.claims.shapes import thirds
from memorize_jax.claims.statement import NOTICEABLE, Statement, above, stating
from memorize_jax.epochs import STAGES, stage_epoch
from memorize_jax.measurements.similarity.chosen import between_runs, over_epochs
from memorize_jax.studies.study import command

TENTH = "a tenth of what identical layers have; two halves of the permuted digits differ by 0.05 at most"
STATEMENTS: list[Statement] = []
stated = stating(STATEMENTS, needs=("metrics", "similarity"))


@stated(
    "ours",
    "Memorizing changes late layers more than early ones.",
    "debiased CKA of the final with the best epoch on permuted examples, mean over the first third of the hidden "
    "layers minus over the last",
    above(NOTICEABLE, TENTH),
)
def _late_layers_change_most(evidence):
    evidence.require("memorized", "peak", "early and late layers")
    best, final = (_epochs(evidence, stage) for stage in ("best", "final"))
    rows = over_epochs(evidence.tables["similarity"], best)
    rows = rows[rows["epoch_a"] == rows["seed"].map(final)]
    if rows.empty:
        ask = f"{command('similarity', evidence.folder)} --similarity_epochs=log,best,final"
        raise NotTestable(f"the final epoch was not compared with the best one; measure it with: {ask}")
    return _early_minus_late(evidence, rows)


@stated(
    "ours",
    "A memorizing network and its twin without permuted labels part in late layers.",
    "debiased CKA of the final networks on permuted examples, mean over the first third of the hidden layers minus "
    "over the last",
    above(NOTICEABLE, TENTH),
)
def _twins_part_in_late_layers(evidence):
    evidence.require("memorized", "early and late layers")
    epochs = {stage: _epochs(evidence, stage) for stage in STAGES}
    rows = between_runs(evidence.tables["similarity"], "final", epochs)
    if rows.empty:
        ask = f"{command('similarity', evidence.folder)} --other=FOLDER"
        raise NotTestable(f"the layers of no other run were compared; measure them with: {ask}")
    if (rows["permuted_fraction_b"] != 0).any():
        raise NotTestable("the other run has permuted labels too; give one with --permuted_fraction=0")
    if (rows["seed_b"] != rows["seed"]).any():
        raise NotTestable("the other run has another seed, so that its layers began elsewhere; give one of the same")
    return _early_minus_late(evidence, rows)


def _epochs(evidence: Evidence, stage: str) -> dict[int, int]:
    seed = evidence.tables["similarity"]["seed"].iloc[0]
    return {seed: stage_epoch(evidence.tables["metrics"], stage)}


def _early_minus_late(evidence: Evidence, rows: pd.DataFrame) -> float:
    own = rows[rows["group"] == "permuted"].set_index("layer_a")["cka_debiased"].reindex(list(evidence.hidden))
    if own.isna().any():
        raise NotTestable(f"no similarity of permuted examples at {', '.join(own.index[own.isna()])}")
    early, late = (float(own[list(third)].mean()) for third in thirds(evidence.hidden))
    return early - late
