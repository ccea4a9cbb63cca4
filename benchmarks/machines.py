"""Accelerators as their makers describe them: most operations and bytes a second."""

from collections.abc import Mapping
from typing import NamedTuple


class Machine(NamedTuple):
    """One device.

    Attributes:
      name: as the tables say it.
      kind: how `jax.devices()[0].device_kind` begins.
      products: precision of a run -> operations a second of matrix products, without sparsity.
      others: float32 operations a second outside of them; None where the maker does not say.
      bandwidth: bytes a second between the device and its memory.
      memory: bytes.
    """

    name: str
    kind: str
    products: Mapping[str, float]
    others: float | None
    bandwidth: float
    memory: float


# NVIDIA H100 and H200 Tensor Core GPU data sheets, SXM modules; the tensor cores' numbers there are with sparsity, twice
# these. float32 is what their other cores do.
_HOPPER = {"float32": 67e12, "tf32": 494.5e12, "bfloat16": 989.5e12}
# Google Cloud, TPU v5e. A float32 product of the highest precision is six products of bfloat16 parts.
_V5E = {"float32": 197e12 / 6, "bfloat16": 197e12}
MACHINES = (
    Machine("H100", "NVIDIA H100", _HOPPER, 67e12, 3.35e12, 80e9),
    Machine("H200", "NVIDIA H200", _HOPPER, 67e12, 4.8e12, 141e9),
    Machine("v5e", "TPU v5 lite", _V5E, None, 819e9, 16e9),
)


def machine_of(kind: str) -> Machine | None:
    """The machine of a `device_kind`; None for one that is not listed."""
    return next((one for one in MACHINES if kind.startswith(one.kind)), None)


def least_seconds(products: float, others: float, moved: float, machine: Machine, precision: str) -> float | None:
    """The roofline: no run is faster than its products, its other operations, or its traffic with memory.

    None for a precision that the machine does not have.
    """
    if precision not in machine.products:
        return None
    bounds = [products / machine.products[precision], moved / machine.bandwidth]
    return max([*bounds, others / machine.others] if machine.others else bounds)
