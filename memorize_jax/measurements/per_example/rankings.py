"""Examples ranked by their scores: how well each finds wrong labels, and which were memorized most and least."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from memorize_jax.figures.images import IMAGE, encode_image
from memorize_jax.measurements.per_example.auroc import auroc

# Score -> 1 if wrong labels are expected to have high ones, else -1. `first_true_epoch` is none: it needs the true
# label, which nobody who looks for wrong ones has.
SCORES: Mapping[str, int] = {
    "learned_epoch": 1,
    "forgotten": 1,
    "aum": -1,
    "cumulative_loss": 1,
    "loss_best": 1,
    "loss_final": 1,
    "prediction_depth_best": 1,
    "prediction_depth_final": 1,
}
# Images of each kind, as many as a figure shows.
SHOWN = 12


def is_mislabeled(table: pd.DataFrame) -> np.ndarray:
    """Which examples have a wrong label: by chance some of the permuted ones kept their own."""
    return (table["assigned"] != table["true"]).to_numpy()


def auroc_rows(table: pd.DataFrame) -> list[dict]:
    """Rows of results/per_example_auroc.csv, one for each of the `SCORES`."""
    wrong, first = is_mislabeled(table), table.iloc[0]
    about = {"num_examples": len(table), "num_mislabeled": int(wrong.sum()), "num_epochs": int(first["num_epochs"])}
    return [
        {"seed": int(first["seed"]), "score": score, **auroc(sign * table[score].to_numpy(float), wrong)._asdict()}
        | about
        for score, sign in SCORES.items()
    ]


def most_and_least_memorized(table: pd.DataFrame, count: int) -> dict[str, pd.DataFrame]:
    """The rows of the examples whose label was hardest and easiest to learn, of those that the network learned.

    By the cumulative loss, which follows the memorization score of Feldman & Zhang (Ravikumar et al. 2025).
    """
    learned = table[table["predicted_final"] == table["assigned"]]
    ranked = (learned if len(learned) else table).sort_values("cumulative_loss", kind="stable")
    return {"most": ranked[::-1].head(count), "least": ranked.head(count)}


def image_rows(table: pd.DataFrame, images: np.ndarray) -> list[dict]:
    """Rows of results/per_example_images.csv: `SHOWN` of each kind, with their pixels if they are images."""
    are_images = images.dtype == np.uint8 and images.ndim == 4
    nothing = {**dict.fromkeys(IMAGE, 0), "pixels": ""}
    shown = ("seed", "example", "true", "assigned", "learned_epoch", "cumulative_loss")
    return [
        {"memorized": kind, "rank": rank, **{name: row[name] for name in shown}}
        | (encode_image(images[int(row["example"])]) if are_images else nothing)
        for kind, rows in most_and_least_memorized(table, SHOWN).items()
        for rank, row in enumerate(rows.to_dict("records"), 1)
    ]
