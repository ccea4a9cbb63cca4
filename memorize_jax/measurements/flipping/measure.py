"""How the predictions of a run are flipped: a unit of work for each layer that is searched, and for all together."""

import collections
import functools

import jax
import numpy as np
import pandas as pd

from memorize_jax import models
from memorize_jax.keys import stream
from memorize_jax.measurements.flipping import FlippingSettings, select_hidden
from memorize_jax.measurements.flipping.counts import ANY
from memorize_jax.measurements.flipping.search import Searched, choose_batches, masked_correct, search
from memorize_jax.measurements.flipping.units import Units, hidden_units
from memorize_jax.measurements.measurement import Work
from memorize_jax.runs.run import Run

BATCH = 1024


def plan(run: Run, settings: FlippingSettings) -> Work:
    """Flips a sample of the permuted examples that have their assigned label, and of the unpermuted ones."""
    model, train, labels, seed = run.model(dropout=0.0), run.splits.train, run.labels, run.config.seed
    layers = models.layers(run.config.model)
    units = hidden_units(_shapes(model, train.images), layers)
    numbers = {ANY: 0} | select_hidden(run.config.model, settings.flip_layers)
    key = stream(seed, "neuron flipping")
    how = {"model": model, "units": units}

    @functools.cache
    def start():
        """What all searches share; reads the network, so not before it is needed."""
        variables, images, assigned = jax.device_put((run.network(run.final_epoch), train.images, labels.assigned))
        searched = Searched(variables, images, assigned, run.statistics, settings.flip_noise, key)
        whole = np.ones(units.count, np.float32)
        right = _correct(searched, np.arange(len(train.labels)), whole, how)
        # Those that kept their label by chance were not memorized as wrong ones.
        groups = {True: labels.assigned != labels.true, False: ~labels.is_permuted}
        order = np.random.default_rng(_numbers(key)).permutation(len(train.labels))
        chosen = [order[(right & group)[order]][: settings.flip_examples] for group in groups.values()]
        if not sum(map(len, chosen)):
            raise ValueError(f"expected training examples that the final network of {run.workdir} gets right, got none")
        judged = {kind: order[group[order]][: settings.flip_evaluated] for kind, group in groups.items()}
        batches = choose_batches(np.concatenate(chosen), len(train.labels), settings.flip_batch, _numbers(key))
        return searched, batches, judged, _accuracies(searched, judged, whole, how)

    def rows(layer):
        searched, batches, judged, before = start()
        allowed, found = units.of(None if layer == ANY else layer), []
        for flip in search(searched, batches, allowed, most=settings.flip_most, **how):
            after = _accuracies(searched, judged, flip.mask, how)
            row = {"seed": seed, "example": flip.example, "is_permuted": bool(labels.is_permuted[flip.example])}
            row |= {"layer": layer, "layer_number": numbers[layer], "num_units": int(allowed.sum())}
            row |= {"num_flipped": len(flip.units), "is_flipped": flip.is_flipped, **after}
            row |= {f"{name}_before": value for name, value in before.items()}
            found.append(row | {"units": " ".join(map(units.name, flip.units))})
        places = {example: place for place, example in enumerate(batches[:, 0])}
        return sorted(found, key=lambda row: places[row["example"]])

    by_layer = functools.partial(shares_by_layer, units=units, layers=select_hidden(run.config.model, "each"))
    return Work(
        list(numbers), rows, lambda unit: [run.final_epoch], counted="layer", derived={"flipping_layers": by_layer}
    )


def shares_by_layer(table: pd.DataFrame, units: Units, layers: dict[str, int]) -> list[dict]:
    """In which layers the units sat that flipped examples when any could be switched off; every example counts alike.

    Args:
      table: results/flipping.csv; examples that did not flip are left out.
      units: of the network.
      layers: name -> number of the hidden layers.
    """
    sizes = {layer: int(units.of(layer).sum()) for layer in layers}
    of_module = dict(zip(units.modules, units.layers, strict=True))
    own, rows = table[(table["layer"] == ANY) & table["is_flipped"].astype(bool)], []
    for (seed, is_permuted), flips in own.groupby(["seed", "is_permuted"], sort=False):
        sat = [
            collections.Counter(of_module[unit.partition(":")[0]] for unit in text.split()) for text in flips["units"]
        ]
        for layer, number in layers.items():
            counts = np.array([one[layer] for one in sat])
            totals = np.array([one.total() for one in sat])
            row = {"seed": int(seed), "is_permuted": bool(is_permuted), "layer": layer, "layer_number": number}
            row |= {"share": float(np.mean(counts / totals)), "mean_flipped": float(np.mean(counts))}
            row |= {"num_units": sizes[layer], "share_of_units": sizes[layer] / units.count}
            rows.append(row | {"num_examples": len(sat)})
    return rows


def _shapes(model, images):
    sample = jax.ShapeDtypeStruct((1, *images.shape[1:]), np.float32)
    return jax.eval_shape(lambda sample: model.init(jax.random.key(0), sample), sample)["params"]


def _numbers(key):
    return np.asarray(jax.random.key_data(key)).ravel().tolist()


def _accuracies(searched, judged, mask, how):
    names = {True: "permuted_accuracy", False: "unpermuted_accuracy"}
    with np.errstate(invalid="ignore"):
        return {
            names[kind]: float(np.mean(_correct(searched, own, mask, how)) if len(own) else np.nan)
            for kind, own in judged.items()
        }


def _correct(searched, examples, mask, how):
    """Which examples a network with some units off gives their labels, a batch at a time."""
    size, found = min(BATCH, max(len(examples), 1)), []
    for start in range(0, len(examples), size):
        part = examples[start : start + size]
        padded = np.resize(part, size)
        found.append(np.asarray(masked_correct(searched, padded, mask, **how))[: len(part)])
    return np.concatenate(found)
