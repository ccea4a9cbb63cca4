"""Networks of flax.linen, flax.nnx, equinox, haiku, and functions of parameters, as measurements read them."""

import collections
import contextlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from memorize_jax import taps
from memorize_jax.adapters.network import WatchedNetwork, holders_of_state, modules_of_layers
from memorize_jax.taps.choice import AUTO, check_patterns, fitting
from memorize_jax.taps.libraries import library_of
from memorize_jax.taps.modes import EVALUATION, evaluation_keywords
from memorize_jax.taps.recording import READ

# Libraries whose models apply themselves.
WHOLE = ("flax.nnx", "equinox")
ANSWER = "output"


def adapt(
    params_or_model: Any, sample: Any, *, given: Any, layers: str | Sequence[str], program: str | None
) -> WatchedNetwork:
    """See `adapt.adapt`."""
    library = library_of(params_or_model)
    read, all_modules = _reader(params_or_model, library, given, layers, sample)
    template, num = params_or_model, len(sample)
    held = taps.split(template)
    shapes = jax.eval_shape(lambda inputs: _named(read(template, inputs)), sample)
    for name, shape in shapes.items():
        if not shape.shape or shape.shape[0] != num:
            raise ValueError(
                f"expected layer {name!r} to show [{num}, ...] for {num} inputs, got {list(shape.shape)}: examples "
                "come first"
            )
    *_, last = shapes
    if len(shapes[last].shape) != 2:
        raise ValueError(
            f"expected answers [n, num_classes] of the network, got {list(shapes[last].shape)} at {last!r}"
        )
    order = _with_inputs(all_modules(template, sample), list(shapes)) if all_modules else list(shapes)
    modules, state = (
        modules_of_layers(order, list(shapes), holders, "/")
        for holders in (list(held["params"]), holders_of_state(held))
    )

    def merge(variables, into=None):
        parts = {"params": variables["params"], "state": variables.get("batch_stats", {})}
        return taps.merge(template if into is None else into, parts)

    def split(model):
        found = taps.split(model)
        return {"params": _filled(found["params"]), "batch_stats": _filled(found["state"])}

    def show(variables, inputs):
        return _named(read(merge(variables), inputs))

    name = (library or (library_of(given) if given is not None else None) or "function").removeprefix("flax.")
    return WatchedNetwork(name, modules, split, merge, show, program, state)


def _with_inputs(order: Sequence[str], layers: Sequence[str]) -> list[str]:
    """Puts those layers that are what a module reads, "Dense_2.input", before that module and all inside of it."""
    found = list(order)
    for name in layers:
        module = name.removesuffix(READ)
        if name not in found and module != name:
            inside = [
                at for at, one in enumerate(found) if one == module or one.startswith((f"{module}/", f"{module}#"))
            ]
            found.insert(min(inside, default=len(found)), name)
    return found


def template_of(applies: Any, sample: Any) -> Any:
    """Parameters of the right shapes for what applies them, which says itself how it is initialized."""
    if not hasattr(applies, "init"):
        raise ValueError("expected a function that makes a flax.linen module, haiku's transformed, or a model")
    mode = evaluation_keywords(type(applies).__call__, given={}) if library_of(applies) == "flax.linen" else {}
    shapes = jax.eval_shape(lambda inputs: applies.init(jax.random.key(0), inputs, **mode), sample)
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)


def _reader(template, library, given, layers, sample) -> tuple[Callable[[Any, Any], Any], Callable | None]:
    """What shows the layers, and what lists all modules in the order in which they are finished, if that is known."""
    wanted = layers if isinstance(layers, str) else list(dict.fromkeys([*layers, ANSWER]))
    if library in WHOLE and given is None:
        # By its name, so that the other library need not be there.
        make = getattr(taps, library.removeprefix("flax."))
        return make(layers=wanted), make(layers=["*"]).layers
    if given is None:
        raise ValueError(
            f"expected network= with parameters of {type(template).__name__}: what applies them, a flax.linen module, "
            "haiku's transformed function, or a function of (parameters, images)"
        )
    applies = library_of(given)
    if applies == "flax.linen":
        mode = evaluation_keywords(type(given).__call__, given={})
        return taps.linen(given, layers=wanted, **mode), taps.linen(given, layers=["*"], **mode).layers
    if applies == "haiku":
        mode = _accepted(given, template, sample)
        return taps.haiku(given, layers=wanted, **mode), taps.haiku(given, layers=["*"], **mode).layers
    if not callable(given):
        raise ValueError(f"expected network= to apply parameters, got {type(given).__name__}")
    # A jitted function would give its layers in the order of their names.
    return _chosen(inspect.unwrap(given), check_patterns(layers)), None


def _chosen(function, patterns):
    """The function with the layers that are asked for alone, and the answers, which come last."""
    if patterns == (AUTO,):
        return function

    def chosen(params, inputs):
        shown = _named(function(params, inputs))
        *_, answers = shown
        fits = {pattern: fitting(pattern, list(shown)) for pattern in patterns}
        if nothing := [pattern for pattern, names in fits.items() if not names]:
            raise ValueError(f"expected layers out of {', '.join(shown)}, got {nothing[0]!r}")
        wanted = {answers}.union(*fits.values())
        return collections.OrderedDict((name, value) for name, value in shown.items() if name in wanted)

    return chosen


def _accepted(transformed, params, sample):
    """What tells a function of haiku that it is not being trained: what it takes, for it hides its signature."""
    accepted = {}
    for name, value in EVALUATION.items():
        tap = taps.haiku(transformed, layers=["*"], **{name: value})
        # Whatever else is wrong is said when it is called without.
        with contextlib.suppress(Exception):
            jax.eval_shape(lambda inputs, tap=tap: tap(params, inputs), sample)
            accepted[name] = value
    return accepted


def _named(shown: Any) -> collections.OrderedDict[str, Any]:
    """What layers show, the answers last; of a function that gives answers alone these. In an order that jax keeps."""
    if not isinstance(shown, Mapping):
        shown = {ANSWER: shown}
    for name, value in shown.items():
        if not hasattr(value, "shape"):
            raise ValueError(f"expected the network to give an array as {name!r}, got {type(value).__name__}")
    return collections.OrderedDict(shown)


def _filled(parts):
    """Without modules that hold nothing."""
    return {module: dict(own) for module, own in parts.items() if own}
