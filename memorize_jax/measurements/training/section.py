"""What the report says of training."""

import pandas as pd

from memorize_jax.epochs import best_epoch, final_epoch
from memorize_jax.pages.section import Section
from memorize_jax.pages.views import Number, View, make_view
from memorize_jax.studies.accuracies import GROUPS, accuracies
from memorize_jax.studies.study import Study


def _of_groups(study: Study) -> View:
    """Accuracy of every group at the best and the final epoch; the whole: metrics.csv."""
    numbers = {
        "best": Number("at the best epoch", "percent"),
        "peak": Number("highest of any epoch", "percent"),
        "final": Number("at the final epoch", "percent"),
    }
    rows, texts = accuracies(study), {"accuracy_of": "group of examples"}
    return make_view("metrics", "Accuracy", rows, texts, numbers, whole=study.tables["metrics"])


def _of_runs(study):
    """Accuracies of the runs of a sweep, by what varies."""
    rows = []
    for key, metrics in study.tables["metrics"].groupby([*study.axes, "seed"]):
        indexed, best, final = metrics.set_index("epoch"), best_epoch(metrics), final_epoch(metrics)
        row = dict(zip([*study.axes, "seed"], key, strict=True)) | {"best": indexed.loc[best, "test_accuracy"]}
        rows.append(row | {f"{group}_final": indexed.loc[final, f"{group}_accuracy"] for group in GROUPS})
    numbers = {"best": Number("test, best epoch", "percent")}
    numbers |= {f"{group}_final": Number(f"{group}, final", "percent") for group in GROUPS}
    texts, whole = {name: name.replace("_", " ") for name in study.axes}, study.tables["metrics"]
    return make_view("metrics", "Accuracies of the runs", pd.DataFrame(rows), texts, numbers, whole=whole)


def _accuracies(study: Study) -> View:
    return _of_runs(study) if study.axes else _of_groups(study)


SECTION = Section("The course of training", {"metrics": ((), _accuracies)}, of_sweeps=frozenset({"metrics"}))
