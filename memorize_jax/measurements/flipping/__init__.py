"""Switches units off until the prediction of an example flips, and counts them by layer.

    python -m experiments.flipping --workdir=runs/mine --flip_examples=50 --flip_layers=each

After Maini et al. 2023. Writes results/flipping.csv, a row per example and layer that was searched, and
results/flipping_layers.csv, in which layers the units sat, in the run's folder; for an ensemble, over all of its seeds.
"""

import dataclasses

from memorize_jax import models
from memorize_jax.config import Settings, setting
from memorize_jax.measurements.measurement import Measurement, Table

FLIPPING = (
    *("seed", "example", "is_permuted", "layer", "layer_number", "num_flipped", "is_flipped", "unpermuted_accuracy"),
    *("permuted_accuracy", "unpermuted_accuracy_before", "permuted_accuracy_before", "num_units", "units"),
)
FLIPPING_LAYERS = (
    *("seed", "is_permuted", "layer", "layer_number", "share", "mean_flipped", "num_units", "share_of_units"),
    "num_examples",
)
MEANINGS = {
    "is_permuted": "True for a permuted example with another label than its true one, False for an unpermuted one",
    "layer": "hidden layer whose units were switched off; or any, for the units of all hidden layers together",
    "layer_number": "row of the layer in the table of its network; 0 for any",
    "num_flipped": "units that were switched off until the prediction changed, or until no more were allowed",
    "is_flipped": "True if the prediction changed, False if it still was the label when no more units were allowed",
    "unpermuted_accuracy": "share (0 to 1) of a sample of unpermuted training examples that get their label with these "
    "units off; NaN if there are none",
    "permuted_accuracy": "share (0 to 1) of a sample of permuted examples with another label than their true one that "
    "get their assigned label with these units off; NaN if there are none",
    "unpermuted_accuracy_before": "unpermuted_accuracy with all units on",
    "permuted_accuracy_before": "permuted_accuracy with all units on",
    "num_units": "units that could be switched off",
    "units": "the units that were switched off, in order, as name and number, such as linear3:17, separated by spaces",
}
LAYERS_MEANINGS = {
    "is_permuted": MEANINGS["is_permuted"],
    "layer": "name of a hidden layer",
    "share": "share (0 to 1) of the units switched off for an example that are of this layer, mean over the examples "
    "that flipped when all hidden layers could give units",
    "mean_flipped": "units of this layer switched off for an example, mean over these examples",
    "num_units": "units of the layer",
    "share_of_units": "share (0 to 1) of all hidden units that are of this layer, which share would be at random",
    "num_examples": "examples that the means are over",
}


@dataclasses.dataclass(frozen=True)
class FlippingSettings(Settings):
    """Settings of neuron flipping."""

    flip_layers: str = setting(
        "each", "Hidden layers that are also searched by themselves, comma-separated: each, none, or names."
    )
    flip_examples: int = setting(50, "Permuted, and unpermuted, examples that are flipped, at most.", least=1)
    flip_batch: int = setting(128, "Examples in the batch of each, itself among them.", least=2)
    flip_most: int = setting(100, "Units that are switched off for an example, at most.", least=1)
    flip_noise: float = setting(0.01, "Standard deviation of the noise on standardized inputs.", least=0)
    flip_evaluated: int = setting(
        500, "Permuted, and unpermuted, examples that tell what the flipped network still knows, at most.", least=1
    )


def select_hidden(model: str, choice: str) -> dict[str, int]:
    """Name -> number of the hidden layers that a choice means; raises ValueError for what is none of them."""
    hidden = {layer.name: layer.number for layer in models.layers(model)[:-1]}
    if not hidden:
        raise ValueError(f"expected a network with a hidden layer, got {model}")
    names = {"each": list(hidden), "none": []}.get(choice, [name.strip() for name in choice.split(",")])
    for name in names:
        if name not in hidden:
            raise ValueError(f"expected flip_layers to be each, none or some of {', '.join(hidden)}, got {name!r}")
    return {name: number for name, number in hidden.items() if name in names}


def _check(config, splits, labels, settings):
    select_hidden(config.model, settings.flip_layers)


# Units that are switched off for an example on average; on digits five.
UNITS = 10


def _cost(work, settings):
    searches = 1 + (0 if settings.flip_layers == "none" else work.num_layers - 1)
    # A pass forward and one back of a batch for every unit; then a pass over those evaluated.
    examples = 2 * settings.flip_examples * searches * (UNITS * 2.5 * settings.flip_batch + 2 * settings.flip_evaluated)
    return examples * work.forward_seconds / work.num_examples, 3 * work.network_bytes + 2 * work.batch_bytes


MEASUREMENT = Measurement(
    name="flipping",
    summary="Units that must be switched off to flip the prediction of an example (Maini et al. 2023)",
    room=__name__,
    of_any_network=False,
    of_final=True,
    on_request=True,
    settings=FlippingSettings,
    tables={
        "flipping": Table(FLIPPING, text=frozenset({"layer", "units"}), meanings=MEANINGS),
        "flipping_layers": Table(FLIPPING_LAYERS, text=frozenset({"layer"}), meanings=LAYERS_MEANINGS),
    },
    check=_check,
    cost=_cost,
)
