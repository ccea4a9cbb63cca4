"""The rows of the table that one kind of comparison is about."""

from collections.abc import Mapping

import pandas as pd

from memorize_jax.measurements.similarity import OTHER, THIS


def over_epochs(table: pd.DataFrame, best: dict[int, int]) -> pd.DataFrame:
    """Every layer against itself at the best epoch; `best`: seed -> that epoch."""
    own = (table["run_b"] == THIS) & (table["layer_a"] == table["layer_b"])
    return table[own & (table["epoch_b"] == table["seed"].map(best))]


def between_layers(table: pd.DataFrame, epochs: dict[int, int]) -> pd.DataFrame:
    """All layers against each other at one epoch of each seed."""
    at = table["seed"].map(epochs)
    return table[(table["run_b"] == THIS) & (table["epoch_a"] == at) & (table["epoch_b"] == at)]


def between_runs(table: pd.DataFrame, stage: str, epochs: Mapping[str, dict[int, int]]) -> pd.DataFrame:
    """Every layer against that of the other run, both at their own best or final epoch.

    `epochs`: stage -> seed -> epoch of this run, of both stages.
    """
    at, final = (table["seed"].map(epochs[own]) for own in (stage, "final"))
    # Older tables name no stage; of an epoch that is the best and the final one they have what is final of both.
    unnamed = table["own_stage"].isna() & ((stage == "final") | (table["epoch_a"] != final))
    return table[(table["run_b"] == OTHER) & (table["epoch_a"] == at) & (unnamed | (table["own_stage"] == stage))]
