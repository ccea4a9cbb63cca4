"""Maini et al. (2023): no single layer holds what a network memorized."""

from memorize_jax.claims.evidence import NotTestable
from memorize_jax.claims.statement import Statement, above, stating
from memorize_jax.measurements.retraining.effects import retrained_layers

# Of what the final network memorized.
MOST = 0.5
STATEMENTS: list[Statement] = []
stated = stating(STATEMENTS, needs=("metrics", "retraining"))


@stated(
    "Maini et al. 2023",
    "Memorization is everywhere: whichever layer is put back and retrained on unpermuted examples alone, permuted ones "
    "get their assigned labels back.",
    "lead of assigned over true labels of permuted examples after it, over that of the final network, the least of any "
    "layer",
    above(MOST, "half: most of what was memorized comes back"),
    every_seed=True,
)
def _retraining_any_layer_restores(evidence):
    evidence.require("early and late layers", "memorized")
    found = {one.layer: one.kept for one in retrained_layers(evidence.tables["retraining"])}
    if missing := [layer for layer in evidence.layers if layer not in found]:
        raise NotTestable(f"{', '.join(missing)} were not retrained by themselves; use --retrain_layers=each")
    return min(found.values())
