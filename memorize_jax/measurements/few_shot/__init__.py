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

COLUMNS = (
    *("seed", "epoch", "layer", "layer_number", "group", "num_shots"),
    *("signal", "bias", "dimension", "csa", "csb", "ss", "snr_paper", "snr_full"),
    *("predicted_paper", "predicted_full", "simulated", "simulated_standard_error", "correlation"),
    *("num_classes", "examples_per_class", "num_draws", "status"),
)
MEANINGS = {
    "num_shots": "m, the examples of each class that are known",
    "signal": "squared distance of the centers of classes a and b over R_a², the mean squared distance of class a from "
    "its center; as all numbers up to simulated the mean over the ordered pairs of classes",
    "bias": "R_b²/R_a² - 1",
    "dimension": "D_a = R_a⁴/tr S_a², the directions that class a varies in (S_a is its covariance); another quantity "
    "than dimension of the geometry",
    "csa": "Δ′S_aΔ/R_a⁴, how much class a varies along the line Δ between the centers",
    "csb": "Δ′S_bΔ/R_a⁴, how much class b varies along this line",
    "ss": "tr(S_a S_b)/R_a⁴, how much both classes vary along the same directions",
    "snr_paper": "signal-to-noise ratio, without unit, by the formula of Sorscher et al. 2022",
    "snr_full": "signal-to-noise ratio with the variance of the squared norms of the means, which that formula leaves "
    "out",
    "predicted_paper": "share (0 to 1) of the examples of class a that are taken for class b, predicted by snr_paper; "
    "0.5 is chance",
    "predicted_full": "the same share, predicted by snr_full; 0.5 is chance",
    "simulated": "the same share of the examples that are not known, in a simulation: they go to the class whose m "
    "known examples have the nearer mean; mean over the draws; NaN if m leaves no other examples",
    "simulated_standard_error": "standard error of simulated from the finite number of draws",
    "correlation": "correlation (-1 to 1), over the pairs of classes, of predicted_full with the simulated error; NaN "
    "with two classes, or where one of them does not vary",
    "num_draws": "times that the known examples are drawn",
    "status": "0, or the sum of what is true: 1 points are not finite; 32 the checkpoint is damaged or missing; 256 "
    "all points of a class coincide, or lie so close together that numbers overflow; 512 a class has no more than m "
    "examples",
}
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
    tables={"few_shot": Table(COLUMNS, text=frozenset({"layer", "group"}), meanings=MEANINGS)},
    cost=_cost,
)
