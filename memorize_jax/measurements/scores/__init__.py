"""Scores of memorization and influence, from many networks that are each trained on a part of the examples.

    python -m experiments.scores --workdir=runs/mine --subsets=200 --subset_learning_rate=1e-3

Writes results/subset_runs.csv (which examples each network was trained on, and which it gets right),
results/memorization_scores.csv and results/influence.csv. It trains many networks, so `reproduce` leaves it out.
"""

import dataclasses

from memorize_jax.config import Settings, check, setting
from memorize_jax.measurements.measurement import Measurement, Table
from memorize_jax.measurements.scores.memorization import FEWEST


@dataclasses.dataclass(frozen=True)
class ScoresSettings(Settings):
    """Settings of the scores of memorization and influence."""

    subsets: int = setting(200, "Networks to train, each on another part of the training examples.", least=2)
    subset_ratio: float = setting(0.7, "Share of the training examples that each of these networks is trained on.")
    subset_limit: int | None = setting(
        None, "Epochs that such a network is trained at most; None is as many as the run.", least=1
    )
    subset_learning_rate: float | None = setting(
        None, "Learning rate of these networks; None is the run's. Ten times as much often saves most of the time."
    )
    subsets_at_a_time: int | None = setting(
        None,
        "Networks that are trained as one program, of an MLP; None is 1 on CPU, where that is faster, else 20.",
        least=1,
    )
    top_influences: int = setting(20, "Training examples of most influence to keep for every test example.", least=1)

    def validate(self) -> None:
        """Checks every field that can be checked without the data; raises ValueError "expected X, got Y"."""
        super().validate()
        check(self, "subset_ratio", 0 < self.subset_ratio < 1, "between 0 and 1")
        rate = self.subset_learning_rate
        check(self, "subset_learning_rate", rate is None or 0 < rate < float("inf"), "> 0")
        fewer = min(self.subset_ratio, 1 - self.subset_ratio)
        needed = f"such that every example is in and out of {FEWEST} of the subsets on average"
        # Rounded, for 67 * (1 - 0.7) is not quite what it should be.
        check(self, "subsets", round(self.subsets * fewer, 6) >= FEWEST, needed)


def _cost(work, settings):
    epochs = min(settings.subset_limit or work.epochs, work.epochs)
    at_a_time = min(settings.subsets_at_a_time or 1, settings.subsets)
    # Parameters, gradients and moments of all networks of a program, beside what training holds of a batch.
    size = work.data_bytes + at_a_time * (8 * work.network_bytes + 3 * work.batch_bytes)
    return settings.subsets * epochs * work.epoch_seconds, size


SUBSET_RUNS = ("seed", "subset", "trained_epochs", "subset_accuracy", "members", "correct", "test_correct")
SCORES = ("seed", "example", "true", "assigned", "is_permuted", "memorization", "standard_error")
SCORES += ("accuracy_with", "accuracy_without", "num_with", "num_without", "status")
INFLUENCE = ("seed", "test_example", "rank", "example", "influence", "standard_error", "same_label")

MEASUREMENT = Measurement(
    name="scores",
    summary="Memorization and influence scores from networks trained on parts of the examples",
    room=__name__,
    of_any_network=False,
    settings=ScoresSettings,
    tables={
        "subset_runs": Table(SUBSET_RUNS, text=frozenset({"members", "correct", "test_correct"})),
        "memorization_scores": Table(SCORES),
        "influence": Table(INFLUENCE),
    },
    on_request=True,
    cost=_cost,
)
