"""How often loops go round that end when they have converged: found by running the program once, counting.

A place in a program is the path to an equation: numbers of equations, and the part of a loop or the branch in between.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Jaxpr, Literal

Path = tuple
# Parameters of an equation that hold a program which it only calls.
CALLED = ("jaxpr", "call_jaxpr", "call")
LOOPS = ("scan", "while", "cond")


def called(equation) -> tuple[Jaxpr, list] | None:
    """The program that an equation calls once, with its constants; None for a loop or an operation."""
    if equation.primitive.name in LOOPS:
        return None
    for name in CALLED:
        inner = equation.params.get(name)
        if inner is not None and hasattr(inner, "eqns"):
            return (inner.jaxpr, inner.consts) if hasattr(inner, "jaxpr") else (inner, [])
    return None


def parts(equation, platform: str) -> Iterator[tuple[Any, Jaxpr, list]]:
    """What a loop or a choice consists of, for this platform: (name of the part, program, constants)."""
    name, params = equation.primitive.name, equation.params
    if name == "scan":
        yield "body", params["jaxpr"].jaxpr, params["jaxpr"].consts
    elif name == "while":
        for part in ("cond", "body"):
            yield part, params[f"{part}_jaxpr"].jaxpr, params[f"{part}_jaxpr"].consts
    elif name == "cond":
        only = chosen_branch(equation, platform)
        for number, branch in enumerate(params["branches"]):
            if only in (None, number):
                yield number, branch.jaxpr, branch.consts
    elif (inner := called(equation)) is not None:
        yield "call", *inner


def chosen_branch(equation, platform: str) -> int | None:
    """The branch of `jax.lax.platform_dependent` that this platform takes; None where data decide."""
    platforms = equation.params.get("branches_platforms")
    if platforms is None:
        return None
    return next(number for number, own in enumerate(platforms) if own is None or platform in own)


def open_loops(jaxpr: Jaxpr, platform: str, path: Path = ()) -> list[Path]:
    """Places of all loops whose number of rounds data decide."""
    found = []
    for number, equation in enumerate(jaxpr.eqns):
        place = (*path, number)
        if equation.primitive.name == "while":
            found.append(place)
        for part, inner, _ in parts(equation, platform):
            found += open_loops(inner, platform, (*place, part))
    return found


def count_rounds(call: Callable, *arguments: Any, platform: str) -> dict[Path, int]:
    """Runs a function here, with the branches of a platform; gives the rounds of every open loop, all visits together."""
    closed = jax.make_jaxpr(call)(*arguments)
    flat = jax.tree.leaves(arguments)

    @jax.jit
    def run(consts, flat):
        totals = _zeros(closed.jaxpr, platform, ())
        found = _run(closed.jaxpr, consts, flat, platform, (), totals)
        # What is computed keeps the loops from being left out.
        return totals, [jnp.sum(leaf) for leaf in found if jnp.issubdtype(leaf.dtype, jnp.number)]

    rounds, _ = run(closed.consts, flat)
    return {place: int(np.asarray(number)) for place, number in rounds.items()}


def _zeros(jaxpr, platform, path):
    return {place: jnp.int32(0) for place in open_loops(jaxpr, platform, path)}


def _run(jaxpr, consts, arguments, platform, path, totals):
    """Evaluates a program; adds the rounds of its loops to `totals`."""
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *arguments], strict=True))
    read = lambda atom: atom.val if isinstance(atom, Literal) else values[atom]
    for number, equation in enumerate(jaxpr.eqns):
        found = _evaluate(equation, list(map(read, equation.invars)), platform, (*path, number), totals)
        values |= zip(equation.outvars, found, strict=True)
    return list(map(read, jaxpr.outvars))


def _evaluate(equation, given, platform, place, totals):
    name, params = equation.primitive.name, equation.params
    if (inner := called(equation)) is not None:
        return _run(*inner, given, platform, (*place, "call"), totals)
    if name == "while":
        return _while(params, given, platform, place, totals)
    if name == "cond" and (only := chosen_branch(equation, platform)) is not None:
        branch = params["branches"][only]
        return _run(branch.jaxpr, branch.consts, given[1:], platform, (*place, only), totals)
    inside = any(open_loops(inner, platform) for _, inner, _ in parts(equation, platform))
    if inside and name == "scan":
        return _scan(params, given, platform, place, totals)
    if inside:
        raise NotImplementedError(f"expected no loop inside of a choice that data make, got one at {place}")
    found = equation.primitive.bind(*given, **params)
    return found if equation.primitive.multiple_results else [found]


def _while(params, given, platform, place, totals):
    first, second = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
    condition, body = params["cond_jaxpr"], params["body_jaxpr"]

    def goes_on(state):
        return _run(condition.jaxpr, condition.consts, [*given[:first], *state], platform, (*place, "cond"), {})[0]

    def step(carry):
        state, rounds, inner = carry
        inner, own = dict(inner), goes_on(state)
        found = _run(body.jaxpr, body.consts, [*given[first:second], *state], platform, (*place, "body"), inner)
        if own.ndim:
            # One loop of a batch, each of which stays what it is when it has ended.
            keep = lambda new, old: jnp.where(own.reshape(own.shape + (1,) * (new.ndim - own.ndim)), new, old)
            found = list(map(keep, found, state))
        return found, rounds + 1, inner

    def unfinished(carry):
        return jnp.any(goes_on(carry[0]))

    start = (given[second:], jnp.int32(0), _zeros(body.jaxpr, platform, (*place, "body")))
    state, rounds, inner = jax.lax.while_loop(unfinished, step, start)
    _add(totals, {place: rounds, **inner})
    return state


def _scan(params, given, platform, place, totals):
    first, num_carry = _parts_of_scan(params)
    second, body = first + num_carry, params["jaxpr"]

    def step(carry, own):
        state, inner = carry
        inner = dict(inner)
        found = _run(body.jaxpr, body.consts, [*given[:first], *state, *own], platform, (*place, "body"), inner)
        return (found[:num_carry], inner), found[num_carry:]

    start = (given[first:second], _zeros(body.jaxpr, platform, (*place, "body")))
    options = {"length": params["length"], "reverse": params["reverse"]}
    (state, inner), found = jax.lax.scan(step, start, given[second:], **options)
    _add(totals, inner)
    return [*state, *found]


def _parts_of_scan(params):
    """How many constants a scan has, and how many values it carries."""
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    # As jax 0.12 has it.
    constants, carry, _ = params["ft_in"].unpack()
    return len(constants), len(carry)


def _add(totals, rounds):
    for place, number in rounds.items():
        totals[place] = totals[place] + number
