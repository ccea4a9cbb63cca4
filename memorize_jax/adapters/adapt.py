"""Finds out whose network it is, and what measurements need of it."""

import importlib
from collections.abc import Sequence
from typing import Any

from memorize_jax import plugins
from memorize_jax.adapters.network import WatchedNetwork
from memorize_jax.taps.libraries import library_of_network

# Library -> the module that adapts its networks; all but PyTorch are of JAX.
ADAPTERS = {"torch": "memorize_jax.adapters.torch_network"}
JAX_ADAPTER = "memorize_jax.adapters.jax_network"
# Libraries whose models apply themselves.
WHOLE = ("torch", "flax.nnx", "equinox")


def adapt(
    params_or_model: Any,
    sample: Any,
    *,
    given: Any = None,
    layers: str | Sequence[str] = "auto",
    num_classes: int | None = None,
) -> WatchedNetwork:
    """Makes what measurements need of a network.

    Args:
      params_or_model: model of PyTorch, flax.nnx or equinox, of that also (model, state); variables of flax.linen;
        params of haiku; or whatever a function takes. It is not changed.
      sample: [n, ...], a few inputs.
      given: what applies parameters where they do not apply themselves; or MODULE:NAME of a function that makes it, or
        the model.
      layers: to analyze.
      num_classes: of the labels, by which the answers are told where a network returns several arrays.

    Raises:
      ValueError: no network, parameters without anything that applies them, layers that there are not, several outputs
        of which none can be told to be the answers.
    """
    program = given if isinstance(given, str) else None
    if program is not None:
        given = _made(program)
        # A model that applies itself: the one in training stands for it.
        given = None if library_of_network(given) in WHOLE else given
    module = importlib.import_module(ADAPTERS.get(library_of_network(params_or_model) or "", JAX_ADAPTER))
    about = {"layers": layers, "program": program, "num_classes": num_classes}
    return module.adapt(params_or_model, sample, given=given, **about)


def adapt_program(program: str, sample: Any, *, layers: Sequence[str], num_classes: int | None) -> WatchedNetwork:
    """Makes what measurements need of a network that MODULE:NAME makes; raises ValueError as `adapt` does."""
    made = _made(program)
    library = library_of_network(made)
    module = importlib.import_module(ADAPTERS.get(library or "", JAX_ADAPTER))
    about = {"layers": layers, "program": program, "num_classes": num_classes}
    if library in WHOLE:
        return module.adapt(made, sample, given=None, **about)
    return module.adapt(module.template_of(made, sample), sample, given=made, **about)


def _made(program):
    plugins.check_form("network", program)
    make = plugins.find("network", program)
    try:
        return make()
    except Exception as error:  # it may fail in any way
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"network {program} failed when called without arguments ({reason})") from error
