"""Networks of any JAX library taken apart by layer, and put together again."""

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

from memorize_jax.taps.leaves import PARAMS, STATE, Opened, from_plain, to_plain
from memorize_jax.taps.libraries import describe, library_of

# Library -> the module that opens its networks.
OPENERS = {"flax.nnx": "memorize_jax.taps.nnx_variables", "equinox": "memorize_jax.taps.equinox_variables"}


def split(params_or_model: Any) -> dict[str, dict[str, dict[str, Any]]]:
    """Takes a network apart into the arrays of its modules.

    Args:
      params_or_model: of flax.linen, the variables, or the params alone; of flax.nnx, the module; of equinox, the
        module, or (module, state); of haiku, the params, or (params, state).

    Returns:
      {"params": {module: {name: array}}, "state": {module: {name: array}}}, the modules named as `memorize_jax.taps`
      names their outputs, e.g. "encoder/block_0/Dense_1"; what belongs to no module stands under "~". State is all that
      is not trained by gradients: batch statistics (of flax.linen "batch_stats/mean"), counts, random keys (as the
      numbers that they are made of). Arrays are not copied.

    Raises:
      ValueError: an object of another kind.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {PARAMS: {}, STATE: {}}
    for leaf in _open(params_or_model).leaves:
        found[leaf.kind].setdefault(leaf.module, {})[leaf.name] = to_plain(leaf.value)
    return found


def merge(template: Any, parts: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Any:
    """Puts arrays of modules into a network; the reverse of `split`.

    Args:
      template: of the kind that `split` takes; it is not changed. Of flax.linen and haiku, shapes do, as of
        `jax.eval_shape`.
      parts: as `split` returns them, or some of them: what is left out stays as it is in the template.

    Returns:
      A network like the template.

    Raises:
      ValueError: modules or names that the template does not have, or other shapes or kinds of numbers than its.
    """
    opened = _open(template)
    if unknown := [kind for kind in parts if kind not in (PARAMS, STATE)]:
        raise ValueError(f"expected parts of a network, {PARAMS} and {STATE}, got {unknown[0]!r}")
    left = {(kind, module, name) for kind, part in parts.items() for module, own in part.items() for name in own}
    values = []
    for kind, module, name, value in opened.leaves:
        if (kind, module, name) in left:
            left.remove((kind, module, name))
            value = from_plain(parts[kind][module][name], value, f"{module}/{name}")
        values.append(value)
    if left:
        kind, module, name = min(left)
        there = [f"{leaf.module}/{leaf.name}" for leaf in opened.leaves if leaf.kind == kind]
        near = difflib.get_close_matches(f"{module}/{name}", there, cutoff=0) or there[:3]
        raise ValueError(f"expected {kind} that the network has, got {module}/{name}; it has {', '.join(near)}, ...")
    return opened.rebuild(values)


def _open(model) -> Opened:
    first = model[0] if isinstance(model, tuple) and len(model) == 2 else model
    if (library := library_of(first)) in OPENERS:
        return importlib.import_module(OPENERS[library]).open_network(model)
    if isinstance(first, Mapping) and library is None:
        from memorize_jax.taps.mapping_variables import open_network

        return open_network(model)
    hint = "; its variables (linen) or params (haiku) hold the arrays" if library in ("flax.linen", "haiku") else ""
    raise ValueError(
        "expected variables of flax.linen, a module of flax.nnx or equinox, or params of haiku, got "
        f"{describe(model)}{hint}"
    )
