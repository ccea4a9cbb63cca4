"""Reads true labels out of the layers of a network that memorised wrong ones.

    python -m experiments.decoding --workdir=runs/mine --decoding_epochs=0,best,final

Writes results/decoding.csv, a row per epoch, layer, method and kind of labels, and results/decoding_choice.csv, the
layer to read for each method.
"""

import contextlib
import pathlib

import jax
import numpy as np
import pandas as pd

from experiments import cli
from experiments.configs import DecodingConfig
from experiments.members import for_each
from experiments.progress import bar
from experiments.record import recorded
from experiments.trained import Trained, opened
from memorize_jax import data, models
from memorize_jax.analysis import INPUT, decoding, final_epoch
from memorize_jax.checkpoints import EpochStore
from memorize_jax.data import PermutedLabels, Splits
from memorize_jax.results import DECODING, DECODING_CHOICE, write_table
from memorize_jax.runs import Run


def spread_epochs(last: int, number: int) -> list[int]:
    """Spreads epochs over a run, evenly on a logarithmic scale: memorisation begins early.

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
    missing = (
        "validation_accuracy",
        "clean_validation_accuracy",
        "num_features",
        "num_fitted",
        "least_components",
        "most_components",
    )
    return (
        {"epoch": epoch, "layer": head, "layer_number": number, "method": "network", "labels": "assigned"}
        | {name: own[name] for name in names}
        | dict.fromkeys(missing, float("nan"))
    )


def without_controls(rows: list[dict]) -> list[dict]:
    """The rows that reading without controls would have given."""
    missing = dict.fromkeys(("validation_accuracy", "clean_validation_accuracy"), float("nan"))
    return [{**row, **missing} for row in rows if row["method"] not in decoding.PROBES]


@recorded("decoding")
def run(workdir: str | pathlib.Path, config: DecodingConfig, splits: Splits | None = None) -> None:
    """Reads the layers of a run; writes results/decoding.csv and results/decoding_choice.csv.

    Args:
      workdir: folder of the run.
      config: DecodingConfig.
      splits: the data, if they were loaded before.
    """
    with opened(workdir, splits) as trained:
        _run(trained, config)


def _run(trained, config):
    folder, run_config, metrics, splits = trained.folder, trained.config, trained.metrics, trained.splits
    thorough = trained.select_epochs(config.decoding_epochs)
    spread = spread_epochs(final_epoch(metrics), config.decoding_dynamics)
    epochs = sorted({*thorough, *(trained.stored() & set(spread))})
    wanted = choose_names(run_config.model, config.decoding_layers)
    labels = _checked_labels(trained)
    num_classes = splits.train.num_classes
    examples = decoding.choose_examples(
        labels, splits.test.labels, num_classes, seed=run_config.seed, most_sampled=config.probe_examples
    )
    layers = {INPUT: 0, **{layer.name: layer.number for layer in models.layers(run_config.model)}}
    head = list(layers)[-1]
    read = decoding.make_reader(
        models.create(run_config.model, num_classes=num_classes, width=run_config.width),
        data.channel_statistics(splits.train.images, run_config.scaling),
        tuple(layers)[1:],
        head,
    )
    rows, of_input = [], None
    wide = jax.enable_x64(True) if config.decoding_dtype == "float64" else contextlib.nullcontext()
    with (
        EpochStore(folder.checkpoints) as store,
        bar("decoding", "epoch", len(epochs)) as progress,
        wide,
    ):
        # The thorough epochs first: what they say of the input holds for all.
        for epoch in sorted(epochs, key=lambda epoch: epoch not in thorough):
            # Nor does the input change: it is read once.
            names = {name: number for name, number in wanted.items() if name != INPUT or of_input is None}
            found = decoding.network_rows(
                read,
                store.load(epoch),
                splits,
                examples,
                names,
                head=head,
                head_number=layers[head],
                controls=epoch in thorough,
                dtype=config.decoding_dtype,
            )
            if of_input is None:
                of_input = [row for row in found if row["layer"] == INPUT]
            again = of_input if epoch in thorough else without_controls(of_input)
            rows += [{"epoch": epoch, **row} for row in again + [row for row in found if row["layer"] != INPUT]]
            rows.append(network_accuracies(metrics, epoch, head, layers[head]))
            progress.update()
    # In the order of epochs, whatever the order of reading.
    rows = sorted(({"seed": run_config.seed, **row} for row in rows), key=lambda row: row["epoch"])
    write_table(folder.results / "decoding.csv", rows, DECODING)
    choice = decoding.choose_layers(pd.DataFrame(rows))
    write_table(folder.results / "decoding_choice.csv", choice.to_dict("records"), DECODING_CHOICE)


def _checked_labels(trained: Trained) -> PermutedLabels:
    labels, true = trained.labels, trained.splits.train.labels
    if len(labels.true) != len(true) or (labels.true != true).any():
        raise ValueError(
            f"{trained.folder.labels}: its true labels are not those of the data set; is --data_dir the folder the run "
            "was trained on?"
        )
    return labels


def main() -> None:
    """Reads the flags and measures."""
    workdir = cli.required_workdir()
    config = cli.chosen(workdir).decoding
    for_each(workdir, lambda folder: run(folder, config), ("decoding.csv", "decoding_choice.csv"))
    print(f"measured: {Run(workdir).results / 'decoding.csv'}; next: python -m experiments.report --workdir={workdir}")


if __name__ == "__main__":
    cli.start(main, cli.define_workdir, cli.define_preset_of_run, cli.define_decoding)
