"""The course of training of a study, in numbers."""

from typing import NamedTuple

import pandas as pd

from memorize_jax.epochs import best_epoch, final_epoch
from memorize_jax.studies.study import Study

# Group of metrics.csv -> what its accuracy is.
GROUPS = {
    "train": "training, assigned labels",
    "test": "test",
    "unpermuted": "unpermuted",
    "permuted": "permuted, assigned labels",
    "restored": "restored (permuted, true labels)",
}


def accuracies(study: Study) -> pd.DataFrame:
    """Accuracy of every group at the best and the final epoch, and the highest of any epoch (peak), by seed."""
    rows = []
    for seed in study.seeds:
        metrics = study.metrics_of(seed)
        moments = {"best": best_epoch(metrics), "final": final_epoch(metrics)}
        indexed = metrics.set_index("epoch")
        for group, text in GROUPS.items():
            column = f"{group}_accuracy"
            found = {moment: indexed.loc[epoch, column] for moment, epoch in moments.items()}
            rows.append({"seed": seed, "group": group, "accuracy_of": text, "peak": metrics[column].max(), **found})
    return pd.DataFrame(rows)


class Story(NamedTuple):
    """The course of training in numbers.

    Attributes:
      best: epochs of highest test accuracy, one for each seed.
      final: last epochs.
      seconds: of training, all seeds together.
      start: group -> accuracy at the first epoch, mean over seeds; NaN, here and below, if a seed has none.
      peak: group -> highest accuracy of any epoch, mean over seeds.
      end: group -> accuracy at the final epoch, mean over seeds.
    """

    best: list[int]
    final: list[int]
    seconds: float
    start: dict[str, float]
    peak: dict[str, float]
    end: dict[str, float]


def story(study: Study) -> Story:
    """Sums up the training of a study."""
    metrics = [study.metrics_of(seed) for seed in study.seeds]
    rows = accuracies(study)
    peak, end = (
        rows.pivot(index="seed", columns="group", values=name).mean(skipna=False) for name in ("peak", "final")
    )
    best, final = [best_epoch(own) for own in metrics], [final_epoch(own) for own in metrics]
    seconds = float(study.tables["metrics"]["seconds"].to_numpy().sum())
    start = {group: sum(own[f"{group}_accuracy"].iloc[0] for own in metrics) / len(metrics) for group in GROUPS}
    return Story(best, final, seconds, start, peak.to_dict(), end.to_dict())
