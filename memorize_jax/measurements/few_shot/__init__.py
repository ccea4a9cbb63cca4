"""Measures how well classes are told apart from a few examples of each, layer by layer, and what decides it.

    python -m experiments.few_shot --workdir=runs/mine --few_shot_shots=1,5

Writes results/few_shot.csv in the run's folder: means over all ordered pairs of classes of the geometry of few-shot
learning, the error that it predicts, and the error of prototypes drawn from the same manifolds as the geometry's.
"""

import dataclasses

from memorize_jax.analysis.products import BLOCK_BYTES
from memorize_jax.analysis.settings import MANIFOLDS
from memorize_jax.config import Settings, check, setting
from memorize_jax.data import GROUPS
from memorize_jax.measurements.measurement import Measurement, Table

# signal to ss: see pairs.PairGeometry. Errors are shares: 0.5 is chance. The correlation is that of the full prediction
# with the simulation over pairs of classes.
COLUMNS = (
    *("seed", "epoch", "layer", "layer_number", "group", "num_shots"),
    *("signal", "bias", "dimension", "csa", "csb", "ss", "snr_paper", "snr_full"),
    *("predicted_paper", "predicted_full", "simulated", "simulated_standard_error", "correlation"),
    *("num_classes", "examples_per_class", "num_draws", "status"),
)
# Of an inner product of two examples at one layer, for a draw.
ENTRY_SECONDS = 1e-10


@dataclasses.dataclass(frozen=True)
class FewShotSettings(Settings):
    """Settings of few-shot learning; the manifolds are those of the geometry."""

    few_shot_epochs: str = setting(
        "best,final", "Epochs to measure: comma-separated numbers and best, final, all, log."
    )
    few_shot_shots: str = setting("1,5", "Examples of each class that are known, comma-separated.")
    few_shot_draws: int = setting(100, "Times that they are drawn.", least=2)

    def validate(self) -> None:
        """Checks every field; raises ValueError "expected X, got Y"."""
        super().validate()
        items = [item.strip() for item in self.few_shot_shots.split(",")]
        good = all(item.isdecimal() and int(item) > 0 for item in items)
        check(self, "few_shot_shots", good and len(set(items)) == len(items), "to be different numbers >= 1")

    @property
    def shots(self) -> tuple[int, ...]:
        """The numbers of examples."""
        return tuple(int(item) for item in self.few_shot_shots.split(","))


def draw_bytes(settings: FewShotSettings, classes: int, examples: int) -> int:
    """Of all draws of prototypes from so many examples, and the errors of the pairs of classes at one layer."""
    return (12 + 16 * classes) * examples * settings.few_shot_draws * len(settings.shots)


def _cost(work, settings, geometry):
    classes = min(work.num_classes, geometry.max_classes or work.num_classes)
    examples = classes * (geometry.examples_per_class or 0)
    layers, shots = len(work.widths), len(settings.shots)
    entries = layers * examples**2
    # Inner products of features, and of examples with prototypes.
    each = entries * (sum(work.widths) / layers + settings.few_shot_draws * shots) * ENTRY_SECONDS
    each += work.forward_seconds * examples / work.num_examples
    held = min(2 * BLOCK_BYTES, 4 * (2 * examples * sum(work.widths) + 3 * entries))
    held += 4 * layers * classes**2 * (8 + shots) + draw_bytes(settings, classes, examples)
    return work.count(settings.few_shot_epochs) * len(GROUPS) * each, held + 2 * work.network_bytes


MEASUREMENT = Measurement(
    name="few_shot",
    summary="Few-shot learning of the classes, layer by layer: geometry, predicted and simulated error",
    room=__name__,
    settings=FewShotSettings,
    reads=("geometry",),
    reads_flags=MANIFOLDS,
    affected_by=MANIFOLDS,
    tables={"few_shot": Table(COLUMNS, text=frozenset({"layer", "group"}))},
    cost=_cost,
)
