"""Networks of flax.linen, flax.nnx, equinox, haiku, and functions of parameters, as measurements read them."""

import collections
import contextlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from memorize_jax import taps
from memorize_jax.adapters.answers import LOGITS, answer_among, check_answers, check_last
from memorize_jax.adapters.network import WatchedNetwork, holders_of_state, modules_of_layers
from memorize_jax.taps.choice import AUTO, check_patterns, fitting
from memorize_jax.taps.leaves import is_key
from memorize_jax.taps.libraries import library_of, library_of_network
from memorize_jax.taps.modes import EVALUATION, evaluation_keywords
from memorize_jax.taps.recording import READ

# Libraries whose models apply themselves.
WHOLE = ("flax.nnx", "equinox")
ANSWER = "output"


def adapt(
    params_or_model: Any,
    sample: Any,
    *,
    given: Any,
    layers: str | Sequence[str],
    program: str | None,
    num_classes: int | None,
) -> WatchedNetwork:
    """See `adapt.adapt`."""
    library = library_of_network(params_or_model)
    read, all_modules = _reader(params_or_model, library, given, layers, sample, num_classes)
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
    check_answers(last, shapes[last].shape, num, num_classes)
    order = _with_inputs(all_modules(template, sample), list(shapes)) if all_modules else list(shapes)
    modules, state = (
        modules_of_layers(order, list(shapes), holders, "/")
        for holders in (list(held["params"]), holders_of_state(held))
    )

    own = _snapshot(template, library)

    def merge(variables, into=None):
        parts = {"params": variables["params"], "state": variables.get("batch_stats", {})}
        return taps.merge(own if into is None else into, parts)

    def split(model):
        found = taps.split(model)
        return {"params": _filled(found["params"]), "batch_stats": _filled(found["state"])}

    def show(variables, inputs):
        return _named(read(merge(variables), inputs))

    def show_itself(model, inputs):
        return _named(read(model, inputs))

    name = (library or (library_of(given) if given is not None else None) or "function").removeprefix("flax.")
    itself = show_itself if library in WHOLE else None
    return WatchedNetwork(name, modules, split, merge, show, program, state, itself)


def _snapshot(template, library):
    """A network that stays what it is now: what training changes of that which was given changes nothing here."""
    if library == "equinox":
        # Its states are used up where they are set.
        return jax.tree.map(lambda leaf: leaf, template)
    if library != "flax.nnx":
        return template
    import flax.nnx

    # Without its values, but where a value says more than its shape and kind.
    is_plain = lambda leaf: isinstance(leaf, jax.Array) and not (is_key(leaf) or leaf.weak_type)
    shape_of = lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) if is_plain(leaf) else leaf
    graphdef, state = flax.nnx.split(template)
    return flax.nnx.merge(graphdef, jax.tree.map(shape_of, state))


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


def _reader(template, library, given, layers, sample, num_classes) -> tuple[Callable[[Any, Any], Any], Callable | None]:
    """What shows the layers, and what lists all modules in the order in which they are finished, if that is known."""

    def tapped(make, *network, **mode):
        every = make(*network, layers=["*"], **mode)
        shapes = {name: shown.shape for name, shown in every.returned(template, sample).items()}
        answer = answer_among(shapes, num_classes)
        patterns = check_patterns(layers)
        wanted = AUTO if patterns == (AUTO,) else list(dict.fromkeys([*patterns, answer]))
        return make(*network, layers=wanted, **mode).answering(answer), every.answering(answer).layers

    if library in WHOLE and given is None:
        # By its name, so that the other library need not be there.
        return tapped(getattr(taps, library.removeprefix("flax.")))
    if given is None:
        raise ValueError(
            f"expected network= with parameters of {type(template).__name__}: what applies them, a flax.linen module, "
            "haiku's transformed function, or a function of (parameters, images); models of PyTorch and flax.nnx, and "
            "of equinox a model or (model, state), apply themselves"
        )
    applies = library_of(given)
    if applies == "flax.linen":
        return tapped(taps.linen, given, **evaluation_keywords(type(given).__call__, given={}))
    if applies == "haiku":
        return tapped(taps.haiku, given, **_accepted(given, template, sample))
    if not callable(given):
        raise ValueError(f"expected network= to apply parameters, got {type(given).__name__}")
    # A jitted function would give its layers in the order of their names.
    function = inspect.unwrap(given)
    everything = jax.eval_shape(lambda inputs: _chosen(function, (AUTO,))(template, inputs), sample)
    check_last({name: shown.shape for name, shown in everything.items()}, num_classes)
    return _chosen(function, check_patterns(layers)), None


def _chosen(function, patterns):
    """The function with the layers that are asked for alone, and the answers, which come last."""

    def chosen(params, inputs):
        shown = _named(function(params, inputs))
        if LOGITS in shown:
            shown.move_to_end(LOGITS)
        if patterns == (AUTO,):
            return shown
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
