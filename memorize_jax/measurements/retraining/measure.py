"""How the layers of a run are retrained: a unit of work for every group of layers and epoch it is put back to."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from memorize_jax import models
from memorize_jax.measurements.measurement import Work
from memorize_jax.measurements.retraining import RetrainingSettings
from memorize_jax.measurements.retraining.effects import NONE
from memorize_jax.measurements.retraining.retrain import retrained
from memorize_jax.runs.run import Run
from memorize_jax.training import Trainer, TrainState
from memorize_jax.training.build import build_optimizer

MEASURED = ("loss", "train_accuracy", "unpermuted_accuracy", "permuted_accuracy", "restored_accuracy", "test_accuracy")


def plan(run: Run, settings: RetrainingSettings) -> Work:
    """Puts each group of layers back and trains it on unpermuted examples alone, until it fits them as the run did.

    The network is evaluated after 0, 1, 2, 4, 8, ... epochs of that, and at its end.
    """
    chosen = models.select_groups(settings.retrain_layers, models.layers(run.config.model), "retrain_layers")
    groups, final = {group.name: group for group in chosen}, run.final_epoch
    epochs = run.select_epochs(settings.retrain_from_epochs)
    until_fitted, longest = settings.retrain_length is None, settings.retrain_length or max(final, 1)
    trainer = Trainer(run.config, run.splits, run.labels)
    data = jax.device_put((run.splits.train.images, run.labels.assigned))
    unpermuted = np.flatnonzero(~run.labels.is_permuted)
    # Without dropout: what is asked is what the layer can take up from the others as they are.
    # A layer that starts anew has no place in the run's schedule: its rate is the one that the schedule starts from.
    tx = build_optimizer(dataclasses.replace(run.config, schedule="constant", schedule_epochs=None), run.splits)
    options = {"model": run.model(dropout=0.0), "tx": tx, "loss": trainer.loss, "statistics": run.statistics}
    options |= {"seed": run.config.seed, "batch_size": run.config.batch_size}

    def row(variables, about):
        found = trainer.evaluate(variables)
        return {"seed": run.config.seed, **about, **{name: found[name] for name in MEASURED}}

    def rows(unit):
        name, epoch = unit
        network = run.network(final)
        if name == NONE:
            about = {"layer": NONE, "layer_number": 0, "num_layers": 0, "rewind_epoch": final}
            return [row(network, about | {"retrained_epochs": 0})]
        group = groups[name]
        network = models.transplant(network, run.network_layers(epoch, group.modules), group.modules)
        place = {"layer": name, "layer_number": group.layers[0].number, "num_layers": len(group.layers)}
        place["rewind_epoch"] = epoch
        params = network["params"]
        start = TrainState(params, network["batch_stats"], tx.init(params), jnp.int32(0))
        found = [row(network, place | {"retrained_epochs": 0})]
        for number, state in enumerate(retrained(start, group.modules, data, unpermuted, **options), 1):
            own = row(state.variables, place | {"retrained_epochs": number}) if until_fitted or is_shown(number) else {}
            is_last = number == longest or (until_fitted and own["unpermuted_accuracy"] > run.config.stop_accuracy)
            if is_last or is_shown(number):
                found.append(own or row(state.variables, place | {"retrained_epochs": number}))
            if is_last:
                break
        return found

    units = [(NONE, final), *itertools.product(groups, epochs)]
    depends_on = {**settings.apart_from_epochs("retrain_layers"), "stop_accuracy": run.config.stop_accuracy}
    return Work(units, rows, lambda unit: [unit[1], final], depends_on=depends_on, counted="layer")


def is_shown(number: int) -> bool:
    """Whether the network is in the table after so many epochs, 1, 2, 4, 8, ..., even if more follow."""
    return number & (number - 1) == 0
