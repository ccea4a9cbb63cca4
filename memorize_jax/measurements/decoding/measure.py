"""How the layers of a run are decoded: a unit of work for every epoch."""

import contextlib

import jax
import numpy as np

from memorize_jax.activations import INPUT, head_reader
from memorize_jax.measurements.decoding import DecodingSettings, select_layers
from memorize_jax.measurements.decoding.choice import choose_layers
from memorize_jax.measurements.decoding.layers import choose_examples
from memorize_jax.measurements.decoding.network import network_rows
from memorize_jax.measurements.decoding.probes import PROBES
from memorize_jax.measurements.measurement import Work
from memorize_jax.runs.run import Run
from memorize_jax.storage.tables import DECODING

NAN = float("nan")
# Whether an epoch is read by the probes that others are compared with, too.
CONTROLS, NO_CONTROLS = "with controls", "without controls"


def plan(run: Run, settings: DecodingSettings) -> Work:
    """Reads every layer at every epoch; the input, which training leaves as it is, once."""
    config, splits, dtype = run.config, run.splits, settings.decoding_dtype
    thorough = run.select_epochs(settings.decoding_epochs)
    spread = spread_epochs(run.final_epoch, settings.decoding_dynamics)
    epochs = sorted({*thorough, *(set(run.stored_epochs) & set(spread))})
    wanted = select_layers(config.model, settings.decoding_layers)
    hidden = {name: number for name, number in wanted.items() if name != INPUT}
    sizes = {"seed": config.seed, "most_sampled": settings.probe_examples}
    examples = choose_examples(run.labels, splits.test.labels, splits.train.num_classes, **sizes)
    layers = run.layers
    head = list(layers)[-1]
    options = {"head": head, "head_number": layers[head], "dtype": dtype}
    read, of_input = head_reader(run.model(), run.statistics, tuple(layers)[1:], head), []

    def rows(unit):
        epoch, controls = unit[0], unit[1] == CONTROLS
        with jax.enable_x64(True) if dtype == "float64" else contextlib.nullcontext():
            network = run.network(epoch)
            if INPUT in wanted and not of_input:
                found = network_rows(read, network, splits, examples, {INPUT: 0}, controls=True, **options)
                of_input.extend(row for row in found if row["layer"] == INPUT)
            found = network_rows(read, network, splits, examples, hidden, controls=controls, **options)
        found = [*(of_input if controls else without_controls(of_input)), *found, of_network(epoch)]
        return [{"seed": config.seed, "epoch": epoch, **row} for row in found]

    def of_network(epoch):
        """The network's own row of an epoch, as training measured it."""
        own = run.metrics.set_index("epoch").loc[epoch]
        about = {"layer": head, "layer_number": layers[head], "method": "network", "labels": "assigned"}
        measured = {name: own[name] for name in ("train_accuracy", "restored_accuracy", "test_accuracy")}
        return {name: NAN for name in DECODING if name not in ("seed", "epoch")} | about | measured

    units = [(epoch, CONTROLS if epoch in thorough else NO_CONTROLS) for epoch in epochs]
    depends_on = settings.apart_from_epochs("decoding_dynamics")
    choice = {"decoding_choice": lambda table: choose_layers(table).to_dict("records")}
    return Work(units, rows, lambda unit: [unit[0]], depends_on=depends_on, counted="epoch", derived=choice)


def spread_epochs(last: int, number: int) -> list[int]:
    """Spreads at most `number` epochs over 0 .. `last`, evenly on a logarithmic scale: memorization begins early."""
    if number <= 1:
        return [last][:number]
    return sorted({round((last + 1) ** share) - 1 for share in np.linspace(0, 1, number)})


def without_controls(rows: list[dict]) -> list[dict]:
    """The rows that reading without controls would have given."""
    missing = {"validation_accuracy": NAN, "clean_validation_accuracy": NAN}
    return [{**row, **missing} for row in rows if row["method"] not in PROBES]
