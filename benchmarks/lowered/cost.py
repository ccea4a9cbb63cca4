"""What a program costs on any machine: operations, and bytes that must be moved, counted from what JAX traced."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from benchmarks.lowered.loops import Path, open_loops, parts

# Numbers moved and not computed with.
MOVES = {
    *("broadcast_in_dim", "concatenate", "convert_element_type", "copy", "device_put", "dynamic_slice"),
    *("dynamic_update_slice", "gather", "iota", "pad", "reshape", "rev", "slice", "split", "squeeze", "transpose"),
    *("stop_gradient", "expand_dims", "bitcast_convert_type", "random_wrap", "random_unwrap", "platform_index"),
}


class Cost(NamedTuple):
    """Of one run of a program.

    Attributes:
      products: operations of matrix products and convolutions, two for each multiply-add.
      others: operations of everything else, one for each number that is computed.
      moved: bytes that products, decompositions and sorting read and write; all else is taken to be fused into them.
      outside: bytes of the arguments and results of the whole program.
      calls: products, decompositions and sorts, and rounds of loops without any, one after the other.
    """

    products: float = 0.0
    others: float = 0.0
    moved: float = 0.0
    outside: float = 0.0
    calls: float = 0.0

    def times(self, number: float) -> "Cost":
        """Of so many runs."""
        return Cost(*(number * own for own in self))

    def plus(self, other: "Cost") -> "Cost":
        """Of one and then the other."""
        return Cost(*(one + two for one, two in zip(self, other, strict=True)))

    @property
    def bytes(self) -> float:
        """Least traffic with memory if nothing stays in a cache but what is fused."""
        return max(self.moved, self.outside)


def cost_of(call: Callable, *arguments: Any, platform: str, rounds: Mapping[Path, int] | None = None) -> Cost:
    """Counts one run.

    Args:
      arguments: arrays, or shapes of them.
      platform: whose branches count.
      rounds: of every open loop, by `loops.count_rounds`; may be left out where there is none.

    Raises:
      ValueError: an open loop without its rounds.
    """
    closed = jax.make_jaxpr(call)(*arguments)
    missing = set(open_loops(closed.jaxpr, platform)) - set(rounds or {})
    if missing:
        raise ValueError(f"expected the rounds of {len(missing)} loops that data end, got none; see loops.count_rounds")
    outside = sum(map(_size, [*closed.in_avals, *closed.out_avals]))
    return _cost(closed.jaxpr, platform, rounds or {}, (), 1.0)._replace(outside=outside)


def _cost(jaxpr, platform, rounds, path, number) -> Cost:
    """Of a program that is run so many times."""
    total = Cost()
    for at, equation in enumerate(jaxpr.eqns):
        place, name = (*path, at), equation.primitive.name
        inner = list(parts(equation, platform))
        if not inner:
            total = total.plus(_operation(equation).times(number))
            continue
        times = {
            "scan": lambda equation=equation: number * equation.params["length"],
            "while": lambda place=place: rounds[place],
        }
        repeated = times.get(name, lambda: number)()
        found = [_cost(own, platform, rounds, (*place, part), repeated) for part, own, _ in inner]
        # Of a choice that data make the dearest.
        own = max(found) if name == "cond" else _sum(found)
        if name in ("scan", "while") and not own.calls:
            # A round is at least one kernel.
            own = own._replace(calls=repeated)
        total = total.plus(own)
    return total


def _sum(costs):
    total = Cost()
    for cost in costs:
        total = total.plus(cost)
    return total


def _size(aval) -> float:
    """Bytes of an array."""
    shape, dtype = getattr(aval, "shape", ()), getattr(aval, "dtype", None)
    itemsize = 4 if dtype is None or jax.dtypes.issubdtype(dtype, jax.dtypes.extended) else np.dtype(dtype).itemsize
    return float(math.prod(shape) * itemsize)


def _operation(equation) -> Cost:
    name, outputs = equation.primitive.name, [var.aval for var in equation.outvars]
    inputs = [var.aval for var in equation.invars]
    moved = sum(map(_size, [*inputs, *outputs]))
    if name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        depth = math.prod(inputs[0].shape[axis] for axis in contracted)
        return Cost(products=2.0 * outputs[0].size * depth, moved=moved, calls=1)
    if name == "conv_general_dilated":
        features = inputs[1].shape[equation.params["dimension_numbers"].rhs_spec[0]]
        # Zeros that a gradient puts between the pixels of a strided convolution are multiplied by nobody.
        dilation = math.prod(equation.params["lhs_dilation"])
        return Cost(products=2.0 * outputs[0].size * inputs[1].size / features / dilation, moved=moved, calls=1)
    if name in DECOMPOSITIONS:
        *batch, rows, columns = inputs[0].shape
        operations = math.prod(batch) * DECOMPOSITIONS[name](rows, columns, inputs)
        return Cost(others=float(operations), moved=moved, calls=1)
    if name in ("sort", "top_k"):
        length = inputs[0].shape[-1]
        return Cost(others=inputs[0].size * max(1.0, math.log2(max(length, 2))), moved=moved, calls=1)
    if name in MOVES or not outputs:
        return Cost()
    reduces = name.startswith(("reduce", "arg", "cum"))
    return Cost(others=float(max((aval.size for aval in (inputs if reduces else outputs)), default=0)))


# Golub & Van Loan, Matrix Computations: symmetric QR with vectors, Cholesky, triangular solution, Householder.
DECOMPOSITIONS = {
    "eigh": lambda rows, columns, inputs: 9 * rows**3,
    "cholesky": lambda rows, columns, inputs: rows**3 / 3,
    "triangular_solve": lambda rows, columns, inputs: rows * inputs[1].shape[-2] * inputs[1].shape[-1],
    "geqrf": lambda rows, columns, inputs: 2 * columns**2 * (rows - columns / 3),
    "householder_product": lambda rows, columns, inputs: 2 * columns**2 * (rows - columns / 3),
    "lu": lambda rows, columns, inputs: 2 * rows**3 / 3,
}
