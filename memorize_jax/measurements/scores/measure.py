"""How the scores of a run are made: a unit of work for some subsets, and tables from what was kept of all."""

import base64
import dataclasses
from typing import Any

import jax
import numpy as np
import pandas as pd

from memorize_jax import models
from memorize_jax.measurements.measurement import Work
from memorize_jax.measurements.scores import ScoresSettings
from memorize_jax.measurements.scores.memorization import memorization, top_influences
from memorize_jax.measurements.scores.subsets import network_seed, subset_members, subset_training
from memorize_jax.memory import check_fits
from memorize_jax.runs.run import Run

# Networks that an accelerator trains as one program.
TOGETHER = 20


def plan(run: Run, settings: ScoresSettings) -> Work:
    """Trains the networks of a block of subsets as one program; keeps which examples each gets right, as bits."""
    seed, splits, labels = run.config.seed, run.splits, run.labels
    # As flags and as numbers, when influences are counted.
    bytes_needed = 9 * settings.subsets * (2 * len(labels.true) + len(splits.test.labels))
    check_fits("scores with these settings", bytes_needed, "lower --subsets")
    at_a_time = _at_a_time(run.config.model, settings)
    changes: dict[str, Any] = {"epochs": min(settings.subset_limit or run.config.epochs, run.config.epochs)}
    if settings.subset_learning_rate is not None:
        changes["learning_rate"] = settings.subset_learning_rate
    train = subset_training(dataclasses.replace(run.config, **changes), splits, labels)

    def rows(unit):
        block = range(*unit)
        members = np.stack(
            [subset_members(labels, settings.subset_ratio, seed=seed, subset=subset) for subset in block]
        )
        found = train(members, [network_seed(seed, subset) for subset in block])
        return [
            {
                "seed": seed,
                "subset": subset,
                "trained_epochs": int(found.trained_epochs[at]),
                "subset_accuracy": float(found.accuracy[at]),
                "members": _packed(members[at]),
                "correct": _packed(found.correct[at]),
                "test_correct": _packed(found.test_correct[at]),
            }
            for at, subset in enumerate(block)
        ]

    def bits(table):
        counts = {"members": len(labels.true), "correct": len(labels.true), "test_correct": len(splits.test.labels)}
        return [np.stack([_unpacked(text, count) for text in table[name]]) for name, count in counts.items()]

    def scores(table):
        members, correct, _ = bits(table)
        found = memorization(members, correct)
        columns = {"seed": seed, "example": np.arange(len(labels.true)), "true": labels.true}
        columns |= {"assigned": labels.assigned, "is_permuted": labels.is_permuted.astype(int)}
        measured = {"memorization": found.value, **found._asdict()}
        return pd.DataFrame(columns | {name: own for name, own in measured.items() if name != "value"}).to_dict(
            "records"
        )

    def influences(table):
        members, _, test_correct = bits(table)
        found = top_influences(members, test_correct, settings.top_influences)
        test, rank = np.indices(found.examples.shape)
        same = labels.assigned[found.examples] == splits.test.labels[:, None]
        columns = {"test_example": test, "rank": rank + 1, "example": found.examples, "influence": found.values}
        columns |= {"standard_error": found.standard_errors, "same_label": same.astype(int)}
        own = pd.DataFrame({name: leaf.ravel() for name, leaf in columns.items()}).assign(seed=seed)
        return own[own["example"] >= 0].to_dict("records")

    derived = {"memorization_scores": scores, "influence": influences}
    # How many subsets there are, and how many influences are kept, decides no row of a network.
    depends_on = settings.apart_from_epochs("subsets", "top_influences")
    depends_on |= {"subsets_at_a_time": at_a_time, "epochs": changes["epochs"]}
    # When networks of subsets stop, which is no part of what a run is.
    depends_on |= {"stop_accuracy": run.config.stop_accuracy, "extra_epochs": run.config.extra_epochs}
    units = [(first, min(first + at_a_time, settings.subsets)) for first in range(0, settings.subsets, at_a_time)]
    return Work(
        units,
        rows,
        reads=lambda unit: (),
        depends_on=depends_on,
        counted="subset" if at_a_time == 1 else f"{at_a_time} subsets",
        derived=derived,
    )


def _at_a_time(model, settings):
    if not models.can_be_stacked(model):
        return 1
    # On a processor several networks as one program take longer than one after the other.
    return settings.subsets_at_a_time or (1 if jax.default_backend() == "cpu" else TOGETHER)


def _packed(flags):
    return base64.b64encode(np.packbits(flags).tobytes()).decode()


def _unpacked(text, count):
    return np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8), count=count).astype(bool)
