"""Switches units off until the prediction of an example flips, and counts them by layer.

    python -m experiments.flipping --workdir=runs/mine --flip_examples=50 --flip_layers=each

After Maini et al. 2023. Writes results/flipping.csv, a row per example and layer that was searched, and
results/flipping_layers.csv, in which layers the units sat, in the run's folder; for an ensemble, over all of its seeds.
"""

import dataclasses

from memorize_jax import models
from memorize_jax.config import Settings, setting
from memorize_jax.measurements.measurement import Measurement, Table

# Units set to zero until the prediction of an example flipped; `layer` is where they were sought, or "any".
FLIPPING = (
    *("seed", "example", "is_permuted", "layer", "layer_number", "num_flipped", "is_flipped", "unpermuted_accuracy"),
    *("permuted_accuracy", "unpermuted_accuracy_before", "permuted_accuracy_before", "num_units", "units"),
)
# In which layers the units were that any layer could give.
FLIPPING_LAYERS = (
    *("seed", "is_permuted", "layer", "layer_number", "share", "mean_flipped", "num_units", "share_of_units"),
    "num_examples",
)


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
        "flipping": Table(FLIPPING, text=frozenset({"layer", "units"})),
        "flipping_layers": Table(FLIPPING_LAYERS, text=frozenset({"layer"})),
    },
    check=_check,
    cost=_cost,
)
