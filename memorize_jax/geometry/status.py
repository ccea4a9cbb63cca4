"""What went wrong with a manifold, as bit flags that survive jit."""

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int32

OK = 0
NOT_FINITE = 1
CENTER_VANISHED = 2
NOT_CONVERGED = 4
CENTER_MOSTLY_REMOVED = 8
OTHERS_NOT_FINITE = 16
CHECKPOINT_DAMAGED = 32
CENTER_REMOVED = 64
BOUND = 128
COINCIDE = 256
TOO_FEW = 512
NO_VARIANCE = 1024
WRONG_OPTION = 2048
ROUNDED = 4096

MESSAGES = {
    NOT_FINITE: "its points contain NaN or infinite values",
    CENTER_VANISHED: "its center coincides with the mean of all points, so its radius has no meaning",
    NOT_CONVERGED: "its quadratic programs did not converge",
    CENTER_MOSTLY_REMOVED: "less than 5 % of its center survives the removal of shared directions",
    OTHERS_NOT_FINITE: "another manifold of its set contains NaN or infinite values",
    CHECKPOINT_DAMAGED: "the checkpoint of its epoch is damaged or missing, so nothing was measured",
    CENTER_REMOVED: "the removal of shared directions took its whole center away, so its radius has no meaning: "
    "remove fewer",
    BOUND: "its joint capacity is only an upper bound: too few dimensions for so many points",
    COINCIDE: "all of its points coincide, so there is nothing to separate",
    TOO_FEW: "it has too few points for the estimate",
    NO_VARIANCE: "its variance, estimated without bias, is zero within rounding: it has too few points",
    WRONG_OPTION: "an option is wrong: kappa is not >= 0, or center_basis is not orthonormal, or draws are all zero",
    ROUNDED: "its joint capacity may be too high: many of its directions are lost in rounding beside stronger ones; "
    "standardize its features, or set JAX_ENABLE_X64=1",
}
# Flags whose numbers must not be used; the others are warnings.
INVALID = NOT_FINITE | CENTER_VANISHED | NOT_CONVERGED | OTHERS_NOT_FINITE | CHECKPOINT_DAMAGED
INVALID |= CENTER_REMOVED | COINCIDE | TOO_FEW | NO_VARIANCE | WRONG_OPTION

# Flags of a joint capacity that is no more than an upper bound.
UPPER_BOUND = BOUND | ROUNDED

# A half-space missed by more than this share of the manifold's size (the center's distance plus its radius).
MAX_RESIDUAL = 1e-3
MIN_RETAINED = 0.05
# The same for cones, in standard deviations of the Gaussian vector; ||v||^2 is exact to its square.
MAX_CONE_RESIDUAL = 1e-2


def flags(
    finite: Bool[Array, "*L P"],
    center_norm: Float[Array, "*L P"],
    retained: Float[Array, "*L P"],
    kkt_residual: Float[Array, "*L P"],
    radius: Float[Array, "*L P"],
    options_fit: Bool[Array, ""],
) -> Int32[Array, "*L P"]:
    """Combines the checks into one number per manifold, a sum of the flags above.

    The center's norm is 0 where it vanished, the share of it that survived NaN where there was none. Of options that do
    not fit nothing else can be said.
    """
    all_finite = jnp.all(finite, axis=-1, keepdims=True)
    vanished = all_finite & (center_norm == 0) & options_fit
    usable = all_finite & ~vanished & options_fit
    not_converged = usable & ~(kkt_residual <= MAX_RESIDUAL * (1 + radius))
    removed = usable & (retained < MIN_RETAINED)
    return (
        jnp.where(finite, 0, NOT_FINITE)
        | jnp.where(finite & ~all_finite, OTHERS_NOT_FINITE, 0)
        | jnp.where(vanished & jnp.isnan(retained), CENTER_VANISHED, 0)
        | jnp.where(vanished & ~jnp.isnan(retained), CENTER_REMOVED, 0)
        | jnp.where(not_converged, NOT_CONVERGED, 0)
        | jnp.where(removed, CENTER_MOSTLY_REMOVED, 0)
        | jnp.where(options_fit, 0, WRONG_OPTION)
    ).astype(jnp.int32)


def joint_flags(
    finite: Bool[Array, ""],
    apart: Bool[Array, ""],
    kkt_residual: Float[Array, ""],
    saturated: Bool[Array, ""],
    rounded: Bool[Array, ""],
    options_fit: Bool[Array, ""],
) -> Int32[Array, ""]:
    """Combines the checks of a joint geometry.

    `apart` says whether any point differs from the origin, `saturated` whether the points' rank limits the number of
    features, `rounded` whether rounding limits the rank; the residual is in units of the Gaussian vectors.
    """
    usable = finite & apart & options_fit
    return (
        jnp.where(finite, 0, NOT_FINITE)
        | jnp.where(finite & ~apart, COINCIDE, 0)
        | jnp.where(usable & ~(kkt_residual <= MAX_CONE_RESIDUAL), NOT_CONVERGED, 0)
        | jnp.where(usable & saturated, BOUND, 0)
        | jnp.where(usable & rounded, ROUNDED, 0)
        | jnp.where(options_fit, 0, WRONG_OPTION)
    ).astype(jnp.int32)


def describe(status: ArrayLike) -> str:
    """Spells out one entry of a result's `status`: a phrase per flag, joined by "; ", or "ok"."""
    found = [message for flag, message in MESSAGES.items() if int(np.asarray(status)) & flag]
    return "; ".join(found) or "ok"
