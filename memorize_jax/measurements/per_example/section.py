"""What the report says of single examples."""

import pathlib

import pandas as pd

from memorize_jax.claims.evidence import not_memorized
from memorize_jax.claims.statement import NOTICEABLE
from memorize_jax.figures.curves import epoch_range
from memorize_jax.measurements.per_example.epoch_lists import missing_epochs
from memorize_jax.measurements.per_example.figures import example_groups
from memorize_jax.measurements.per_example.rankings import most_and_least_memorized
from memorize_jax.pages.section import Section
from memorize_jax.pages.views import Number, if_there, make_view
from memorize_jax.studies.accuracies import story
from memorize_jax.studies.study import Study

# Rows of the table on the page; the whole is there to download.
MOST_ROWS = 50
LABELS = {"example": "example", "assigned": "assigned label", "true": "true label"}
LEARNED = {
    "learned_epoch": Number("learned at epoch", "d"),
    "cumulative_loss": Number("loss, summed over epochs", ".1f"),
}
SCORES = {
    "learned_epoch": "learned epoch",
    "forgotten": "times forgotten",
    "aum": "area under the margin",
    "cumulative_loss": "loss, summed over epochs",
    "loss_best": "loss, best epoch",
    "loss_final": "loss, final epoch",
    "prediction_depth_best": "prediction depth, best epoch",
    "prediction_depth_final": "prediction depth, final epoch",
}


def _facts(study: Study) -> dict:
    table, auroc = study.tables["per_example"], study.tables["per_example_auroc"]
    groups = example_groups(table)
    medians = {name: rows.groupby("seed")["learned_epoch"].median() for name, rows in groups.items()}
    is_known = len(medians) == 2 and not any(own.isna().any() for own in medians.values())
    # A seed without a score is not left out of a mean over seeds.
    means = auroc.groupby("score")["auroc"].agg(lambda own: own.mean(skipna=False))
    return {
        "epochs": f"{epoch_range(table['num_epochs'].unique())} epochs",
        "learned": {name: _when(own, study) for name, own in medians.items()} if is_known else None,
        "auroc": None if means.isna().any() else {score: f"{value:.3f}" for score, value in means.items()},
        "change_places": _change_places(study, means),
        "missing": missing_epochs(study),
    }


def _change_places(study: Study, auroc: pd.Series) -> bool:
    """Whether the loss told wrong labels clearly better before the network memorized, and the depth afterward."""
    end = story(study).end
    if not_memorized(end["permuted"], end["restored"], "the network"):
        return False
    leads = auroc["loss_best"] - auroc["prediction_depth_best"], auroc["prediction_depth_final"] - auroc["loss_final"]
    return bool(min(leads) > NOTICEABLE)


def _when(medians: pd.Series, study: Study) -> str:
    """By when half of a group are learned for good, mean over seeds (medians: by seed)."""
    # What is never learned has an epoch after the last.
    never = medians > pd.Series(study.epochs_of("final")).reindex(medians.index)
    if never.any():
        return "not by the last epoch" + ("" if never.all() else f" of seed {', '.join(map(str, never.index[never]))}")
    return f"by epoch {medians.mean():g}"


def _per_example(study):
    whole = study.tables["per_example"]
    rows = most_and_least_memorized(whole[whole["seed"] == study.seeds[0]], MOST_ROWS)["most"]
    numbers = {
        **LEARNED,
        "forgotten": Number("times forgotten", "d"),
        "aum": Number("area under the margin", ".2f"),
        "loss_best": Number("loss, best epoch", ".2f"),
        "loss_final": Number("loss, final epoch", ".2f"),
        "prediction_depth_best": Number("depth, best epoch", "d"),
        "prediction_depth_final": Number("depth, final epoch", "d"),
    }
    of = f" of seed {study.seeds[0]}" if len(study.seeds) > 1 else ""
    note = f"The {len(rows)} most memorized training examples{of}: of those that were learned, those of highest loss."
    return make_view("per_example", "Memorized examples", rows, LABELS, if_there(rows, numbers), note=note, whole=whole)


def _auroc(study):
    whole = study.tables["per_example_auroc"]
    rows = whole.assign(score=whole["score"].map(SCORES))
    numbers = {"auroc": Number("AUROC", ".3f")}
    if len(study.seeds) == 1:
        numbers |= {"low": Number("from", ".3f"), "high": Number("to", ".3f")}
    note = (
        "The probability that a wrong label has a higher score than a right one (area under the margin: a lower one)."
    )
    if len(study.seeds) == 1:
        note += " From and to: 95 % interval by DeLong's method, over examples; none where all pairs are in order."
    title = "How well each score finds wrong labels"
    return make_view("per_example_auroc", title, rows, {"score": "score"}, numbers, note=note, whole=whole)


def _images(study):
    whole = study.tables["per_example_images"]
    rows = whole[whole["seed"] == study.seeds[0]]
    texts = {"memorized": "memorized", "rank": "rank", **LABELS}
    return make_view("per_example_images", "Images shown", rows, texts, LEARNED, whole=whole)


SECTION = Section(
    "Which examples are memorized, and when",
    {
        "per_example_auroc": ((), _auroc),
        "per_example": (("metrics",), _per_example),
        "per_example_images": ((), _images),
    },
    words=pathlib.Path(__file__).with_name("section.html.j2"),
    needs=("per_example", "per_example_auroc"),
    facts=_facts,
)
