"""What a page says in words: numbers of a study's tables, ready for sentences."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from memorize_jax.analysis.effects import RatioRange, RewindingEffect, ratio_range, rewinding_effect
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
    """Accuracy of every group at the best and the final epoch, and the highest of any epoch.

    Args:
      study: the tables.

    Returns:
      columns seed, group, accuracy_of, best, peak, final.
    """
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
    """The course of training in numbers; means over seeds.

    Attributes:
      best: epochs of highest test accuracy, one for each seed.
      final: last epochs.
      seconds: of training, all seeds together.
      peak: group -> highest accuracy of any epoch.
      end: group -> accuracy at the final epoch.
    """

    best: list[int]
    final: list[int]
    seconds: float
    peak: dict[str, float]
    end: dict[str, float]


def story(study: Study) -> Story:
    """Sums up the training of a study."""
    metrics = [study.metrics_of(seed) for seed in study.seeds]
    means = accuracies(study).groupby("group")[["peak", "final"]].mean()
    return Story(
        [best_epoch(own) for own in metrics],
        [final_epoch(own) for own in metrics],
        float(study.tables["metrics"]["seconds"].sum()),
        means["peak"].to_dict(),
        means["final"].to_dict(),
    )


def rewinding_effects(study: Study, group: str) -> dict[int, RewindingEffect]:
    """What rewinding layers of the final network wins back, for the seeds that had lost something.

    Args:
      study: with the tables metrics and rewinding.
      group: "test" or "restored".

    Returns:
      seed -> RewindingEffect.
    """
    table = study.tables["rewinding"]
    table = table[table["into"] == "final"]
    found = {
        seed: rewinding_effect(table[table["seed"] == seed], study.metrics_of(seed), group, study.layers[-1])
        for seed in study.seeds
        if (table["seed"] == seed).any()
    }
    return {seed: effect for seed, effect in found.items() if effect is not None}


def rewinding(study: Study) -> dict:
    """The words on figure 4A-B: effects of one run, or means over the seeds of several."""
    effects = {group: rewinding_effects(study, group) for group in ("test", "restored")}
    shares = {
        group: {
            "early": float(np.mean([effect.early_share for effect in own.values()])),
            "late": float(np.mean([effect.late_share for effect in own.values()])),
            "num_late_recover": sum(effect.late_recovers for effect in own.values()),
            "num_seeds": len(own),
            "layers": next(iter(own.values())),
        }
        for group, own in effects.items()
        if own
    }
    return {
        "alone": len(study.seeds) == 1,
        "effects": {group: next(iter(own.values()), None) for group, own in effects.items()},
        "shares": shares,
        "bn": ", ".join(study.tables["rewinding"]["bn"].unique()),
    }


def gradients(study: Study) -> dict:
    """The words on figure 5: ranges of ratios over layers, and over seeds where there are several."""
    table = study.tables["gradients"]
    table = table[table["form"] == "eq15"]
    unpermuted, permuted = ("unpermuted", "dep"), ("permuted", "dep")
    last = {seed: int(own["epoch"].max()) for seed, own in table.groupby("seed")}
    first = {seed: int(own["epoch"].min()) for seed, own in table.groupby("seed")}
    return {
        "first": _pooled(table, first, unpermuted, permuted),
        "last": _pooled(table, last, unpermuted, permuted),
        "unpermuted": _pooled(table, first, unpermuted, ("unpermuted", "ind")),
        "permuted": _pooled(table, first, permuted, ("permuted", "ind")),
        "num_seeds": len(first),
        "bn": ", ".join(table["bn"].unique()),
    }


def _pooled(table, epochs, above, below) -> RatioRange | None:
    """The range over the layers of all seeds; the counts are of layers, those of all seeds together."""
    found = [ratio_range(table[table["seed"] == seed], epoch, above, below) for seed, epoch in epochs.items()]
    if not found or None in found:
        return None
    low, high = min(found, key=lambda own: own.low), max(found, key=lambda own: own.high)
    return RatioRange(
        low.epoch,
        low.low,
        low.low_layer,
        high.high,
        high.high_layer,
        sum(own.num_above_one for own in found),
        sum(own.num_layers for own in found),
    )


def decoding(study: Study) -> dict | None:
    """The words on the probes, means over seeds; None if no final network was read with all controls."""
    table, choice = study.tables["decoding"], study.tables["decoding_choice"]
    rows = []
    for seed in study.seeds:
        metrics = study.metrics_of(seed).set_index("epoch")["test_accuracy"]
        final = int(metrics.index.max())
        own = choice[(choice["seed"] == seed) & (choice["epoch"] == final)].set_index(["method", "labels"])
        if ("masc", "assigned") not in own.index:
            return None
        read = table[(table["seed"] == seed) & (table["epoch"] == final) & (table["method"] == "edited_network")]
        edited = read.set_index("labels")["test_accuracy"]
        oracle = own.loc[("masc", "assigned"), "oracle_test_accuracy"]
        rows.append(
            {
                "final": metrics[final],
                "best": metrics.max(),
                "assigned": edited.get("assigned", np.nan),
                "true": edited.get("true", np.nan),
                "gain": oracle - metrics[final],
            }
        )
    return pd.DataFrame(rows).mean().to_dict()


def decoding_rows(study: Study) -> pd.DataFrame:
    """The table of the probes at the final epoch, with what they read in the input and in the untrained network.

    Args:
      study: with the tables decoding and decoding_choice.

    Returns:
      the rows of decoding_choice at each seed's final epoch, with the columns `input` and `untrained`.
    """
    table, choice = study.tables["decoding"], study.tables["decoding_choice"]
    key, parts = ["method", "labels"], []
    for seed in study.seeds:
        final = final_epoch(study.metrics_of(seed))
        own = choice[choice["seed"] == seed]
        of_input = table[(table["seed"] == seed) & (table["epoch"] == final) & (table["layer"] == "input")]
        untrained = own[own["epoch"] == 0].set_index(key)["oracle_test_accuracy"].rename("untrained")
        rows = own[own["epoch"] == final].join(untrained, on=key)
        parts.append(rows.join(of_input.set_index(key)["test_accuracy"].rename("input"), on=key))
    return pd.concat(parts, ignore_index=True)
