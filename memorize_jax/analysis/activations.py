"""Activations of every analysed layer of a network."""

import flax.linen as nn
import jax

INPUT = "input"


def layer_activations(
    model: nn.Module, variables: dict, inputs: jax.Array, layers: tuple[str, ...]
) -> dict[str, jax.Array]:
    """Computes what every layer shows for some inputs, in evaluation mode.

    Args:
      model: flax.linen module that sows `<layer>_out` for each layer.
      variables: params and batch_stats.
      inputs: [n, ...], standardised.
      layers: names of the layers wanted, in order.

    Returns:
      name -> [n, ...]; the first is "input", the inputs themselves, the others are taken after the nonlinearity.

    Raises:
      ValueError: the model does not sow one of the layers.
    """
    _, sown = model.apply(variables, inputs, train=False, mutable=["intermediates"])
    sown = sown["intermediates"]
    missing = [name for name in layers if f"{name}_out" not in sown]
    if missing:
        raise ValueError(f"expected the model to sow {', '.join(missing)}, got {', '.join(sorted(sown))}")
    return {INPUT: inputs, **{name: sown[f"{name}_out"][0] for name in layers}}
