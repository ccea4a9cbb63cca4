"""What decides how well two classes are told apart from a few examples: geometry of ordered pairs of classes."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

from memorize_jax.analysis.products import Scale
from memorize_jax.geometry.status import COINCIDE, NOT_FINITE


class PairGeometry(NamedTuple):
    """Geometry of ordered pairs (a, b) of classes, for telling examples of a from those of b; see `pair_geometry`.

    Attributes:
      signal: squared distance of the centers.
      bias: R_b^2 / R_a^2 - 1.
      dimension: D_a, along how many directions class a varies.
      csa: how much class a varies along the line between the centers; csb likewise for class b.
      ss: how much both vary along the same directions.
      spread: tr S_b^2 / R_a^4, what 1 / D_a is for class a.
      status: sum of flags of `geometry.status`.
    """

    signal: Float[Array, "*pairs"]
    bias: Float[Array, "*pairs"]
    dimension: Float[Array, "*pairs"]
    csa: Float[Array, "*pairs"]
    csb: Float[Array, "*pairs"]
    ss: Float[Array, "*pairs"]
    spread: Float[Array, "*pairs"]
    status: Int32[Array, "*pairs"]


class SignalToNoise(NamedTuple):
    """Signal-to-noise ratios of m-shot learning; the error is Phi(-snr).

    Attributes:
      paper: of the paper's formula.
      full: with the variance of the prototypes' squared norms, which the paper leaves out.
    """

    paper: Float[Array, "*pairs"]
    full: Float[Array, "*pairs"]


def frames(points: Float[Array, "*P M N"], scale: Scale) -> Float[Array, "*P M+1 N"]:
    """The points of every class about their center, and the center as the last row, in a scale of the layer.

    Inner products of these rows are all that the geometry and the simulation need.
    """
    first = points[..., :1, :]
    # From a point of the class: one of equal points has no radius, and a small one is not rounded off by the origin.
    offsets = (points - first) / scale.unit
    mean = jnp.mean(offsets, axis=-2, keepdims=True)
    return jnp.concatenate([offsets - mean, (first - scale.origin) / scale.unit + mean], axis=-2)


def pair_geometry(
    own_a: Float[Array, "M+1 M+1"], cross: Float[Array, "M+1 M+1"], own_b: Float[Array, "M+1 M+1"]
) -> PairGeometry:
    """Measures one ordered pair of classes from inner products of their `frames`; batched by vmap.

    With centers c, Delta = c_a - c_b, R_a^2 = mean ||x - c_a||^2 and covariances S (divided by M):

        signal = ||Delta||^2 / R_a^2    bias = R_b^2 / R_a^2 - 1      D_a = R_a^4 / tr S_a^2
        csa = Delta'S_a Delta / R_a^4   csb = Delta'S_b Delta / R_a^4   ss = tr(S_a S_b) / R_a^4

    Args:
      own_a: of class a with itself; own_b likewise.
      cross: of class a with class b.

    References:
      Sorscher, Ganguli and Sompolinsky, "Neural representational geometry underlies few-shot concept learning", 2022.
    """
    count = own_a.shape[0] - 1
    radius_a, radius_b = (jnp.trace(own[:-1, :-1]) / count for own in (own_a, own_b))
    squares = lambda products: jnp.sum(jnp.sum(jnp.square(products[:-1, :-1]), axis=-1)) / count**2
    along_a = own_a[:-1, -1] - cross[:-1, -1]
    along_b = cross[-1, :-1] - own_b[-1, :-1]
    distance = own_a[-1, -1] + own_b[-1, -1] - 2 * cross[-1, -1]
    finite = jnp.isfinite(jnp.sum(own_a) + jnp.sum(cross) + jnp.sum(own_b))
    unit = jnp.where(finite & (radius_a > 0), radius_a, jnp.nan)
    # Divided before they are squared: of a class much smaller than the other the square of the unit would be 0.
    spread_a, spread_b = (
        squares(own / jnp.where(radius > 0, radius, 1)) for own, radius in ((own_a, radius_a), (own_b, radius_b))
    )
    numbers = {
        "signal": distance / unit,
        "bias": radius_b / unit - 1,
        "dimension": jnp.where(jnp.isfinite(unit), 1 / spread_a, jnp.nan),
        "csa": jnp.mean(jnp.square(along_a / unit)),
        "csb": jnp.mean(jnp.square(along_b / unit)),
        "ss": squares(cross / unit),
        "spread": spread_b * jnp.square(radius_b / unit),
    }
    fits = jnp.all(jnp.isfinite(jnp.stack(list(numbers.values()))))
    status = jnp.where(finite, 0, NOT_FINITE) | jnp.where(finite & ~fits, COINCIDE, 0)
    known = {name: jnp.where(jnp.isfinite(number), number, jnp.nan) for name, number in numbers.items()}
    return PairGeometry(**known, status=status.astype(jnp.int32))


def signal_to_noise(pair: PairGeometry, num_shots: int) -> SignalToNoise:
    """Signal-to-noise ratio with m examples of each class, by both forms.

        paper = 1/2 (signal + bias/m) / sqrt(1/(D_a m) + csa + csb/m + ss/m)

    full adds (1/D_a + tr S_b^2 / R_a^4) / (2 m^2) under the root.
    """
    top = (pair.signal + pair.bias / num_shots) / 2
    noise = 1 / (pair.dimension * num_shots) + pair.csa + (pair.csb + pair.ss) / num_shots
    norms = (1 / pair.dimension + pair.spread) / (2 * num_shots**2)
    return SignalToNoise(top / jnp.sqrt(noise), top / jnp.sqrt(noise + norms))


def predicted_error(snr: Float[Array, "*pairs"]) -> Float[Array, "*pairs"]:
    """Share of the examples of class a that are taken for class b: Phi(-snr)."""
    return jax.scipy.stats.norm.cdf(-snr)
