"""The options that all measurements of manifolds share."""

import jax
import jax.numpy as jnp

from memorize_jax.geometry.batching import peak_bytes
from memorize_jax.geometry.points import is_concrete
from memorize_jax.memory import check_fits

FRAMES = ("rank", "qr")
COMPATS = (None, "mftma")


def prepare_options(
    *,
    shape: tuple,
    num_draws: int = 300,
    kappa: float = 0.0,
    num_center_components: int | None = None,
    center_basis=None,
    frame: str = "rank",
    compat: str | None = None,
    vary_components: bool = False,
    draws=None,
    solver: str = "active_set",
    tol: float | None = None,
    maxiter: int | None = None,
    chunk: int | None = None,
) -> dict:
    """Validates the options that `manifold_geometry` documents.

    `shape` is (L, P, M, floating dtype) of the points.

    Returns:
      keyword arguments for `geometry_of_layers` (all but layers, mask and key).

    Raises:
      ValueError: naming the option, what is expected and what was given; also more than memory holds.
    """
    if compat not in COMPATS:
        raise ValueError(f"expected compat to be None or 'mftma', got {compat!r}")
    if frame not in FRAMES:
        raise ValueError(f"expected frame to be one of {', '.join(FRAMES)}, got {frame!r}")
    if num_draws < 1:
        raise ValueError(f"expected num_draws >= 1, got {num_draws}")
    if is_concrete(kappa) and not kappa >= 0:
        raise ValueError(f"expected kappa >= 0, got {kappa}")
    if center_basis is not None and num_center_components is not None:
        raise ValueError("expected either center_basis or num_center_components, got both")
    num_layers, num_manifolds, num_examples, dtype = shape
    if draws is not None:
        draws = jnp.asarray(draws, dtype)
        if draws.ndim not in (2, 3) or draws.shape[-1] != num_examples + 1:
            raise ValueError(
                f"expected draws [n, {num_examples + 1}] or [{num_manifolds}, n, {num_examples + 1}], got {draws.shape}"
            )
        draws = jnp.broadcast_to(draws, (num_manifolds, *draws.shape[-2:]))
    # An accelerator has its own memory, of which nothing is known here.
    if jax.default_backend() == "cpu":
        count = num_draws if draws is None else draws.shape[1]
        num_variants = num_layers * (3 if vary_components else 1)
        needed = peak_bytes(num_variants, num_manifolds, num_examples, 0, count, chunk=chunk, itemsize=dtype.itemsize)
        what = f"{count} draws for each of {num_manifolds} manifolds of {num_examples} examples"
        check_fits(what, needed, "lower num_draws, chunk or the number of examples")
    if center_basis is not None:
        center_basis, num_center_components = jnp.asarray(center_basis), 0
    center_options = {
        "num_components": num_center_components,
        "min_components": 1 if compat == "mftma" else 0,
        # Around directions that the caller gives there is nothing to vary.
        "neighbors": vary_components and center_basis is None,
    }
    return {
        "draws": draws,
        "kappa": kappa,
        "center_basis": center_basis,
        "num_draws": num_draws,
        "frame": "qr" if compat == "mftma" else frame,
        "center_options": tuple(sorted(center_options.items())),
        "solver_options": (("maxiter", maxiter), ("solver", solver), ("tol", tol)),
        "chunk": chunk,
    }
