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
SUBSET_RUNS_MEANINGS = {
    "subset": "number of the subset of the training set that the network was trained on, from 0",
    "trained_epochs": "epochs that the network was trained, until it fitted its subset or no more were allowed",
    "subset_accuracy": "share (0 to 1) of the examples of the subset that the network then gives their assigned label",
    "members": "a bit for each training example, 1 if it is in the subset: bytes of NumPy's packbits in base64",
    "correct": "a bit for each training example, 1 if it gets its assigned label, likewise",
    "test_correct": "a bit for each test example, 1 if it gets its true label, likewise",
}
SCORES_MEANINGS = {
    "memorization": "accuracy_with less accuracy_without (-1 to 1; Feldman and Zhang 2020, equation 1); NaN if status "
    "is 1",
    "standard_error": "standard error of memorization from the finite number of networks; NaN if status is 1",
    "accuracy_with": "share (0 to 1) of the networks trained with the example that give it its assigned label",
    "accuracy_without": "share (0 to 1) of the networks trained without it that give it its assigned label",
    "num_with": "networks trained with the example",
    "num_without": "networks trained without it",
    "status": f"0, or 1 if fewer than {FEWEST} networks were trained with, or without, the example",
}
INFLUENCE_MEANINGS = {
    "test_example": "position of a test example in the test set, counted from 0",
    "rank": "place of the training example among those of most influence on this test example, counted from 1",
    "example": "position of the training example in the training set, counted from 0",
    "influence": "share of the networks trained with the training example that get the test example right, less that "
    "of the networks trained without it (-1 to 1; Feldman and Zhang 2020, equation 2)",
    "standard_error": "standard error of influence from the finite number of networks",
    "same_label": "1 if the assigned label of the training example is the true one of the test example, else 0",
}

MEASUREMENT = Measurement(
    name="scores",
    summary="Memorization and influence scores from networks trained on parts of the examples",
    room=__name__,
    of_any_network=False,
    settings=ScoresSettings,
    tables={
        "subset_runs": Table(
            SUBSET_RUNS, text=frozenset({"members", "correct", "test_correct"}), meanings=SUBSET_RUNS_MEANINGS
        ),
        "memorization_scores": Table(SCORES, meanings=SCORES_MEANINGS),
        "influence": Table(INFLUENCE, meanings=INFLUENCE_MEANINGS),
    },
    on_request=True,
    cost=_cost,
)
