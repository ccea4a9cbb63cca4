"""What went wrong with a manifold, as bit flags that survive jit."""

import jax
import jax.numpy as jnp

OK = 0
NOT_FINITE = 1
CENTER_VANISHED = 2
NOT_CONVERGED = 4
CENTER_MOSTLY_REMOVED = 8
OTHERS_NOT_FINITE = 16
CHECKPOINT_DAMAGED = 32
CENTER_REMOVED = 64
BOUND = 128

MESSAGES = {
    NOT_FINITE: "its points contain NaN or infinite values",
    CENTER_VANISHED: "its centre coincides with the mean of all points, so its radius has no meaning",
    NOT_CONVERGED: "its quadratic programs did not converge",
    CENTER_MOSTLY_REMOVED: "less than 5 % of its centre survives the removal of shared directions",
    OTHERS_NOT_FINITE: "another manifold of its set contains NaN or infinite values",
    CHECKPOINT_DAMAGED: "the checkpoint of its epoch is damaged or missing, so nothing was measured",
    CENTER_REMOVED: "the removal of shared directions took its whole centre away, so its radius has no meaning: "
    "remove fewer",
    BOUND: "its joint capacity is only an upper bound: too few dimensions for so many points",
}
# Flags whose numbers must not be used; the others are warnings.
INVALID = NOT_FINITE | CENTER_VANISHED | NOT_CONVERGED | OTHERS_NOT_FINITE | CHECKPOINT_DAMAGED | CENTER_REMOVED

# A half-space missed by more than this share of the manifold's size (the centre's distance plus its radius).
MAX_RESIDUAL = 1e-3
MIN_RETAINED = 0.05


def flags(finite, center_norm, retained, kkt_residual, radius) -> jax.Array:
    """Combines the checks into one int32 per manifold.

    Args:
      finite: [..., P] bool, whether the manifold's points are.
      center_norm: [..., P], 0 where the centre vanished.
      retained: [..., P], share of the centre that survived, NaN where there was none.
      kkt_residual: [..., P], mean distance by which optimality is missed.
      radius: [..., P].

    Returns:
      int32 [..., P], a sum of the flags above; 0 is fine.
    """
    all_finite = jnp.all(finite, axis=-1, keepdims=True)
    vanished = all_finite & (center_norm == 0)
    usable = all_finite & ~vanished
    not_converged = usable & ~(kkt_residual <= MAX_RESIDUAL * (1 + radius))
    removed = usable & (retained < MIN_RETAINED)
    return (
        jnp.where(finite, 0, NOT_FINITE)
        | jnp.where(finite & ~all_finite, OTHERS_NOT_FINITE, 0)
        | jnp.where(vanished & jnp.isnan(retained), CENTER_VANISHED, 0)
        | jnp.where(vanished & ~jnp.isnan(retained), CENTER_REMOVED, 0)
        | jnp.where(not_converged, NOT_CONVERGED, 0)
        | jnp.where(removed, CENTER_MOSTLY_REMOVED, 0)
    ).astype(jnp.int32)


def describe(status: int) -> str:
    """Spells out a status value.

    Args:
      status: one entry of `ManifoldGeometry.status`.

    Returns:
      A phrase per flag, joined by "; ", or "ok".
    """
    found = [message for flag, message in MESSAGES.items() if int(status) & flag]
    return "; ".join(found) or "ok"
