"""Rewinds single layers, or sets of them, of a trained network to earlier epochs and measures what is left.

    python -m experiments.rewinding --workdir=runs/mine --rewind_epochs=log,best --rewind_layers=each,last:2

With `--source` also layers of another run, e.g. of one without permuted labels, and the reverse:

    python -m experiments.rewinding --workdir=runs/mine --source=runs/clean --rewind_into=both --rewind_layers=windows

Writes results/rewinding.csv and figures 4A and 4B in the run's folder; for an ensemble, over all of its seeds.
"""

import dataclasses

from memorize_jax import models
from memorize_jax.config import Settings, setting
from memorize_jax.measurements.measurement import Measurement, Table
from memorize_jax.measurements.rewinding.transplant import BOTH, INTO, directions
from memorize_jax.models import BN_POLICIES, check_groups, count_groups, select_groups
from memorize_jax.storage.tables import REWINDING


@dataclasses.dataclass(frozen=True)
class RewindingSettings(Settings):
    """Settings of rewinding."""

    rewind_epochs: str = setting(
        "log,best,final", "Epochs to rewind to: comma-separated numbers and best, final, all, log."
    )
    rewind_layers: str = setting(
        "each,last:2,last:3",
        "Layers to rewind, comma-separated: each; conv, every convolution; last:K, the last K together; windows:K, any "
        "K consecutive ones together; windows, of every number; all, together; or names of layers that go together "
        "joined by +.",
    )
    rewind_into: str = setting(
        "final",
        "Which layers go where: final puts earlier ones, or those of the source, into the final network; early puts "
        "final ones into the earlier networks, or into those of the source; both does both.",
        choices=(*INTO, BOTH),
    )
    bn: str = setting(
        "with_layer",
        "What happens to the BatchNorm of these layers, see models.transplant.",
        choices=BN_POLICIES,
    )
    source: str | None = setting(
        None,
        "Folder of another run of the same network and data, e.g. of the same seed without permuted labels: its layers "
        "are moved as well, at its own rewind epochs.",
    )

    def validate(self) -> None:
        """Checks every field that can be checked without the run; raises ValueError "expected X, got Y"."""
        super().validate()
        check_groups(self.rewind_layers, "rewind_layers")


MEANINGS = {
    "into": "final: layers of rewind_epoch, or of the other run, were put into the final network; early: layers of the "
    "final network were put into the network of rewind_epoch, or of the other run",
    "layer": "layers that were moved, joined by +",
    "layer_number": "row of the first of these layers in the table of its network",
    "num_layers": "how many layers these are",
    "rewind_epoch": "epoch of the earlier network; where source is not self, of the network of that run",
    "bn": "what happened to the BatchNorm of these layers: with_layer (all of it was moved), keep (nothing), "
    "rewind_stats_only (the running statistics alone), recalibrate (all, and the running statistics of the whole "
    "network were measured anew on mixed batches); a norm without running statistics, as LayerNorm, is moved with its "
    "layer",
    "num_test": "test examples that test_accuracy is a share of",
    "source": "self, or the folder of the other run that layers come from or go into",
}


def _check(config, splits, labels, settings):
    select_groups(settings.rewind_layers, models.layers(config.model), "rewind_layers")


def _cost(work, settings):
    groups = count_groups(settings.rewind_layers, work.num_layers)
    networks = groups * len(directions(settings.rewind_into)) * (2 if settings.source else 1)
    return work.count(settings.rewind_epochs) * networks * 1.2 * work.forward_seconds, None


MEASUREMENT = Measurement(
    name="rewinding",
    summary="Accuracy with layers as they were at earlier epochs (figures 4A, 4B, A.9 to A.11)",
    room=__name__,
    of_final=True,
    settings=RewindingSettings,
    tables={
        "rewinding": Table(
            REWINDING,
            text=frozenset({"into", "layer", "bn", "source"}),
            added=frozenset({"source", "num_test"}),
            meanings=MEANINGS,
        )
    },
    other_runs=lambda settings: (settings.source,) if settings.source else (),
    check=_check,
    cost=_cost,
)
