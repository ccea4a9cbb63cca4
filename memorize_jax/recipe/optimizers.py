"""Optimizers by name."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import optax

from memorize_jax.recipe.names import call_own, check_name, guarded
from memorize_jax.recipe.schedules import Rate

# Kingma and Ba (2015).
ADAMS_MOMENTUM = 0.9


def _adam(learning_rate: Rate, momentum: float | None, weight_decay: float) -> optax.GradientTransformation:
    return _after_decay(weight_decay, optax.adam(learning_rate, b1=ADAMS_MOMENTUM if momentum is None else momentum))


def _adamw(learning_rate: Rate, momentum: float | None, weight_decay: float) -> optax.GradientTransformation:
    first_decay = ADAMS_MOMENTUM if momentum is None else momentum
    return optax.adamw(learning_rate, b1=first_decay, weight_decay=weight_decay)


def _sgd(learning_rate: Rate, momentum: float | None, weight_decay: float) -> optax.GradientTransformation:
    return _after_decay(weight_decay, optax.sgd(learning_rate, momentum=momentum or None))


def _after_decay(weight_decay, optimizer):
    return optax.chain(optax.add_decayed_weights(weight_decay), optimizer) if weight_decay else optimizer


OPTIMIZERS: dict[str, Callable[[Rate, float | None, float], optax.GradientTransformation]] = {
    "adam": _adam,
    "adamw": _adamw,
    "sgd": _sgd,
}


def check_optimizer(name: str, momentum: float | None, weight_decay: float) -> None:
    """Raises ValueError for a name, a momentum or a weight decay that cannot be; imports nothing."""
    check_name("optimizer", name, OPTIMIZERS)
    if momentum is not None and not 0 <= momentum < 1:
        raise ValueError(f"expected momentum >= 0 and < 1, got {momentum}")
    if not 0 <= weight_decay < float("inf"):
        raise ValueError(f"expected weight_decay >= 0, got {weight_decay}")


def make_optimizer(
    name: str, learning_rate: Rate, *, momentum: float | None = None, weight_decay: float = 0.0
) -> optax.GradientTransformation:
    """Makes an optimizer from its name.

    With the gradient g of the loss, parameters w, momentum m, decay d and rate r, as in PyTorch:

        sgd:    v <- m v + (g + d w),  w <- w - r v
        adam:   Adam on g + d w, with m as the decay rate of the first moment
        adamw:  w <- w - r (a + d w), with Adam's direction a for g (Loshchilov and Hutter 2019)

    All parameters decay, biases and BatchNorm's scales too.

    Args:
      name: one of `OPTIMIZERS`; or MODULE:NAME, a function of yours that takes the rate, and by name momentum and
        weight_decay, and returns an optax.GradientTransformation.
      learning_rate: a number, or a schedule, from the number of steps done to the rate.
      momentum: None for the usual one, 0 of sgd and 0.9 of Adam; functions of yours are given None too.
    """
    check_optimizer(name, momentum, weight_decay)
    if name in OPTIMIZERS:
        return OPTIMIZERS[name](learning_rate, momentum, weight_decay)
    made = call_own("optimizer", name, learning_rate=learning_rate, momentum=momentum, weight_decay=weight_decay)
    # optax's own classes are named tuples: whatever has both functions is one.
    if not callable(getattr(made, "init", None)) or not callable(getattr(made, "update", None)):
        raise ValueError(f"optimizer {name}: expected an optax.GradientTransformation, got {type(made).__name__}")
    return optax.GradientTransformation(made.init, made.update)


def check_updates(name: str, optimizer: optax.GradientTransformation, params: Any) -> None:
    """Raises ValueError unless an optimizer's steps keep shapes and types of params and state; computes nothing.

    Args:
      params: arrays, or their shapes and types.
    """

    def step(params):
        state = optimizer.init(params)
        updates, after = optimizer.update(params, state, params)
        return state, after, optax.apply_updates(params, updates)

    state, after, updated = guarded("optimizer", name, functools.partial(jax.eval_shape, step), params)
    for what, before, then in (("parameters", params, updated), ("state", state, after)):
        if (was := _kinds(before)) != (is_now := _kinds(then)):
            changed = [f"{one} becomes {other}" for one, other in zip(was, is_now, strict=False) if one != other]
            said = changed[0] if changed else f"{len(was)} arrays become {len(is_now)}"
            raise ValueError(f"optimizer {name}: expected a step to keep shapes and types of its {what}, but {said}")


def _kinds(tree):
    return [f"{leaf.dtype}{list(leaf.shape)}" for leaf in jax.tree.leaves(tree)]
