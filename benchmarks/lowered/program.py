"""A program that the package compiles, at a chosen size, and what it becomes for a machine that is not there."""

import contextlib
import re
import unittest.mock
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
from jax import export

# As `jax.export` names them.
PLATFORMS = ("tpu", "cuda")


class Sizes(NamedTuple):
    """How large the programs are.

    Attributes:
      model: name of the network.
      width: of it; None for the paper's.
      image: shape of an input.
      batch: images of a step.
      num_classes: P.
      num_examples: M, of a class.
      num_features: N, of points that come from no network.
      num_draws: of the mean-field geometry.
      joint_draws: of the joint geometry.
    """

    model: str
    width: int | None
    image: tuple[int, ...]
    batch: int
    num_classes: int
    num_examples: int
    num_features: int
    num_draws: int
    joint_draws: int
    dtype: str = "float32"


# Odd numbers, so that nothing else has the same shapes.
TINY = Sizes("mlp", 3, (3, 5, 1), 7, 5, 3, 11, 6, 6)


class Program(NamedTuple):
    """A function that the package compiles, and what it takes.

    Attributes:
      name: what it computes.
      site: where the package compiles it, as `sites.sites` names it; "" for what callers compile.
      call: a function of arrays alone; what is static is bound.
      arguments: trees of arrays, or of their shapes.
    """

    name: str
    site: str
    call: Callable
    arguments: tuple

    def traced(self) -> Any:
        """As `jax.stages.Traced`."""
        return jax.jit(self.call).trace(*self.arguments)

    def exported(self, platform: str) -> export.Exported:
        """What a machine of this platform, "tpu" or "cuda", would be given; raises what does not lower for it."""
        return export.export(jax.jit(self.call), platforms=[platform])(*self.arguments)


@contextlib.contextmanager
def believed_backend(backend: str) -> Iterator[None]:
    """Lets the package choose batches as it does on this backend; forgets before and after what was traced.

    It knows processors, and everything else, which it treats alike.
    """
    jax.clear_caches()
    with unittest.mock.patch.object(jax, "default_backend", return_value=backend):
        yield
    jax.clear_caches()


def foreign(text: str) -> list[str]:
    """Types in a module that no TPU has: float64 and complex numbers."""
    return sorted(set(re.findall(r"[x<](f64|complex<f\d+>)>", text)))


def rounded_products(text: str) -> list[str]:
    """Products of float32 in a module that an accelerator may compute in fewer bits; their operands and result."""
    products = re.findall(r"stablehlo\.(?:dot_general|dot|convolution)\b.*", text)
    return [line for line in products if "xf32>" in line and "HIGHEST" not in line]


def shapes_of(tree: Any) -> Any:
    """The same tree with shapes and types in place of arrays."""
    return jax.eval_shape(lambda: tree)


def array(*shape: int, dtype: Any = "float32") -> jax.ShapeDtypeStruct:
    """Shape and type of an argument."""
    return jax.ShapeDtypeStruct(shape, dtype)


def key() -> jax.ShapeDtypeStruct:
    """A random key."""
    return jax.eval_shape(lambda: jax.random.key(0))
