"""Reads true labels out of the layers of a network that memorized wrong ones.

    python -m experiments.decoding --workdir=runs/mine --decoding_epochs=0,best,final

Writes results/decoding.csv, a row per epoch, layer, method and kind of labels, and results/decoding_choice.csv, the
layer to read for each method.
"""

import contextlib
import dataclasses

import jax
import numpy as np
import pandas as pd

from experiments import cli
from experiments.configs import DecodingConfig
from experiments.trained import Trained, analysis, run_chosen
from memorize_jax import models
from memorize_jax.analysis import INPUT, decoding, final_epoch
from memorize_jax.storage.tables import DECODING, DECODING_CHOICE, write_table


def spread_epochs(last: int, number: int) -> list[int]:
    """Spreads epochs over a run, evenly on a logarithmic scale: memorization begins early.

    Args:
      last: epoch of the run.
      number: how many, the first and the last one of the run's included.

    Returns:
      at most `number` epochs, increasing.
    """
    if number <= 1:
        return [last][:number]
    return sorted({round((last + 1) ** share) - 1 for share in np.linspace(0, 1, number)})


def choose_names(model: str, wanted: str) -> dict[str, int]:
    """Looks up the layers to read.

    Args:
      model: name of the network.
      wanted: comma-separated names, or "all"; "input" is the network's input.

    Returns:
      name -> number, in order.

    Raises:
      ValueError: the network has no such layer.
    """
    known = {INPUT: 0, **{layer.name: layer.number for layer in models.layers(model)}}
    names = list(known) if wanted == "all" else [name.strip() for name in wanted.split(",")]
    for name in names:
        if name not in known:
            raise ValueError(f"expected decoding_layers to be all or some of {', '.join(known)}, got {name!r}")
    return {name: number for name, number in known.items() if name in names}


def network_accuracies(metrics: pd.DataFrame, epoch: int, head: str, number: int) -> dict:
    """The network's own row of an epoch, as training measured it."""
    own = metrics[metrics["epoch"] == epoch].iloc[0]
    names = ("train_accuracy", "restored_accuracy", "test_accuracy")
    about = {"epoch": epoch, "layer": head, "layer_number": number, "method": "network", "labels": "assigned"}
    # All columns but the seed.
    return dict.fromkeys(DECODING[1:], float("nan")) | about | {name: own[name] for name in names}


def without_controls(rows: list[dict]) -> list[dict]:
    """The rows that reading without controls would have given."""
    missing = dict.fromkeys(("validation_accuracy", "clean_validation_accuracy"), float("nan"))
    return [{**row, **missing} for row in rows if row["method"] not in decoding.PROBES]


@analysis("decoding")
def run(trained: Trained, config: DecodingConfig) -> None:
    """Reads the layers of a run; writes results/decoding.csv and results/decoding_choice.csv."""
    run_config, metrics, splits = trained.config, trained.metrics, trained.splits
    thorough = trained.select_epochs(config.decoding_epochs)
    spread = spread_epochs(final_epoch(metrics), config.decoding_dynamics)
    epochs = sorted({*thorough, *(trained.stored() & set(spread))})
    wanted = choose_names(run_config.model, config.decoding_layers)
    examples = decoding.choose_examples(
        trained.labels,
        splits.test.labels,
        splits.train.num_classes,
        seed=run_config.seed,
        most_sampled=config.probe_examples,
    )
    layers = trained.layers
    head = list(layers)[-1]
    read = decoding.make_reader(trained.model(), trained.statistics, tuple(layers)[1:], head)
    wide = jax.enable_x64(True) if config.decoding_dtype == "float64" else contextlib.nullcontext()
    with wide:
        of_input = []

        def measured(epoch):
            network, controls = trained.store.load(epoch), epoch in thorough
            options = {"head": head, "head_number": layers[head], "dtype": config.decoding_dtype}
            if INPUT in wanted and not of_input:
                # The input is the same at every epoch: it is read once.
                found = decoding.network_rows(read, network, splits, examples, {INPUT: 0}, controls=True, **options)
                of_input.extend(row for row in found if row["layer"] == INPUT)
            names = {name: number for name, number in wanted.items() if name != INPUT}
            found = decoding.network_rows(read, network, splits, examples, names, controls=controls, **options)
            rows = [*(of_input if controls else without_controls(of_input)), *found]
            rows.append(network_accuracies(metrics, epoch, head, layers[head]))
            return [{"seed": run_config.seed, "epoch": epoch, **row} for row in rows]

        settings = {**dataclasses.asdict(config), "decoding_epochs": thorough, "decoding_dynamics": 0}
        table = trained.make_table("decoding", DECODING, epochs, measured, settings=settings, counted="epoch")
    choice = decoding.choose_layers(table)
    write_table(trained.folder.results / "decoding_choice.csv", choice.to_dict("records"), DECODING_CHOICE)


if __name__ == "__main__":
    cli.start(lambda: run_chosen("decoding", run), *cli.of_analysis(DecodingConfig))
