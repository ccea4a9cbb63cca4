"""Points of a wide layer in few dimensions, as they lie to one another and to the origin; geometry sees no more."""

from collections.abc import Mapping, Sequence

import numpy as np
import scipy.linalg
from jaxtyping import Float, Int, Shaped

from memorize_jax.geometry.points import exponent_of
from memorize_jax.threads import one_thread

# Features that are in float64 at a time.
FEATURES_AT_A_TIME = 8192
# Of more points the factorization would take longer than what it saves.
MOST_POINTS = 2048
# Features of each row from which on rows that are drawn again and again are worth it.
FEATURES_PER_ROW = 8


def alike(layers: Mapping[str, Sequence[Shaped[np.ndarray, "_ _"]]]) -> dict[str, list[np.ndarray]]:
    """Brings all layers to one width, so that one program serves all, and wide ones are read once.

    A layer of n points in more than n dimensions becomes n points in at most n + 1 with the same inner products; then
    zeros are appended. Layers of many points stay as they are.
    """
    sizes = [len(own) for own in next(iter(layers.values()))]
    if sum(sizes) > MOST_POINTS:
        return {name: list(points) for name, points in layers.items()}
    # On matrices as small as these, threads wait for one another ten times longer than they compute.
    with one_thread():
        narrow = {name: coordinates_of(np.concatenate(points)) for name, points in layers.items()}
    width = max(values.shape[1] for values in narrow.values())
    cuts = np.cumsum(sizes)[:-1]
    padded = {name: np.pad(values, ((0, 0), (0, width - values.shape[1]))) for name, values in narrow.items()}
    return {name: np.split(values, cuts) for name, values in padded.items()}


def in_coordinates(
    layers: Mapping[str, Shaped[np.ndarray, "n _"]], rows: Int[np.ndarray, " r"]
) -> dict[str, Shaped[np.ndarray, "n _"]]:
    """Gives layers with many more features than rows, one by one, as `coordinates_of` has them.

    Rows that are not asked for become zero. All layers stay as they are where there are many rows.
    """
    if len(rows) > MOST_POINTS:
        return dict(layers)
    found = {}
    for name, values in layers.items():
        found[name] = values
        if values.shape[1] > FEATURES_PER_ROW * len(rows):
            with one_thread():
                own = coordinates_of(values[rows])
            found[name] = np.zeros((len(values), own.shape[1]), own.dtype)
            found[name][rows] = own
    return found


def coordinates_of(points: Shaped[np.ndarray, "n N"]) -> Float[np.ndarray, "n r"]:
    """Places n points in r <= n + 1 dimensions with the same inner products, to rounding of float32.

    With the mean m and the Gram matrix of the offsets D = X - m in float64, factorized with pivots as C C', row i is
    c_i + a and one more number, so that C a = D m and m'm = a'a + that number squared. Numbers finer than float32 come
    out about their mean, as the geometry takes them.

    Returns:
      float32, or float64 of what is finer; the points themselves if N <= n + 1.
    """
    num_points, num_features = points.shape
    if num_features <= num_points + 1:
        return points
    exponent = int(exponent_of(points).item()) if points.dtype.itemsize >= 4 else 0
    gram, against, square = np.zeros((num_points, num_points)), np.zeros(num_points), 0.0
    for start in range(0, num_features, FEATURES_AT_A_TIME):
        block = np.asarray(points[:, start : start + FEATURES_AT_A_TIME], np.float64)
        block = np.ldexp(block, -exponent) if exponent else block
        # Differences to a point are exact for equal points: a constant layer becomes zeros.
        first = block[0]
        offsets = block - first
        mean = offsets.mean(axis=0)
        offsets -= mean
        mean += first
        gram += offsets @ offsets.T
        against += offsets @ mean
        square += mean @ mean
    (factorize,) = scipy.linalg.get_lapack_funcs(("pstrf",), (gram,))
    lower, pivots, rank, _ = factorize(gram, lower=1)
    order = pivots - 1
    factor = np.tril(lower)[:, :rank]
    # A constant layer has one, of zeros.
    coordinates = np.zeros((num_points, max(rank, 1)))
    coordinates[order, :rank] = factor
    is_finer = not np.can_cast(points.dtype, np.float32)
    if is_finer:
        return np.ldexp(coordinates, exponent)
    along = scipy.linalg.solve_triangular(factor[:rank], against[order[:rank]], lower=True) if rank else np.zeros(0)
    rest = np.sqrt(max(square - along @ along, 0.0))
    placed = np.concatenate([coordinates + along, np.full((num_points, 1), rest)], axis=1)
    return np.ldexp(placed, exponent).astype(np.float32)
