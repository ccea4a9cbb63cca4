"""Joint geometry beside SciPy's non-negative least squares draw by draw, and how its cost grows.

    python -m benchmarks.joint            # prints, about two minutes
    python -m benchmarks.joint --write    # into docs/performance.md

The peer solves the same draws of the same points in float64, one after the other, and gives the same capacity; its seconds
are those of the draws it was timed on, times as many as there are. SciPy comes with this package.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags
from scipy.optimize import nnls

from benchmarks import document
from benchmarks.tables import table
from memorize_jax import geometry
from memorize_jax.threads import one_thread

MODULE = "benchmarks.joint"
# Manifolds x examples x features of what is compared, and draws.
CASES = ((2, 50, 784), (10, 30, 256), (10, 50, 784), (20, 50, 1024), (100, 50, 1024))
NUM_DRAWS = 200

FLAGS = flags.FLAGS
flags.DEFINE_bool("write", False, "write the tables into docs/performance.md")
flags.DEFINE_integer("repeats", 5, "timed calls after the first")
flags.DEFINE_integer("peer_draws", 10, "draws that the peer is timed on")


def invent_points(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Draws classes [P, M, N], float32, that share directions: a spectrum that falls as 1/k, and centers of half the size."""
    rng = np.random.default_rng(seed)
    num_manifolds, _, num_features = shape
    spectrum = np.arange(1, num_features + 1) ** -0.5
    points = rng.standard_normal(shape) * spectrum
    centers = 0.5 * (rng.standard_normal((num_manifolds, 1, num_features)) * spectrum)
    return (points + centers).astype(np.float32)


def seconds_of(call, repeats: int) -> tuple[float, object]:
    """Median seconds of a call after a first one, and what it returned."""
    found, spent = jax.block_until_ready(call()), []
    for _ in range(repeats):
        started = time.perf_counter()
        jax.block_until_ready(call())
        spent.append(time.perf_counter() - started)
    return float(np.median(spent)), found


def peer_seconds(points: np.ndarray, num_classes: int, num_draws: int) -> tuple[float, float]:
    """Seconds a draw of `num_classes` classes takes SciPy, and the capacity that these draws give."""
    rng = np.random.default_rng(1)
    points = points.astype(np.float64) - points.mean(axis=(0, 1))
    half = np.where(np.arange(num_classes) < num_classes // 2, 1.0, -1.0)
    squares, started = [], time.perf_counter()
    for _ in range(num_draws):
        chosen, labels = rng.permutation(len(points))[:num_classes], rng.permutation(half)
        rows = (points[chosen] * labels[:, None, None]).reshape(-1, points.shape[2])
        vector = rng.standard_normal(points.shape[2])
        projection = nnls(rows.T, vector, maxiter=10 * len(rows))[0] @ rows
        squares.append(projection @ projection)
    return (time.perf_counter() - started) / num_draws, num_classes / np.mean(squares)


def compared(repeats: int, peer_draws: int) -> str:
    """The table of `CASES`; Markdown."""
    rows = []
    for shape in CASES:
        points = jnp.asarray(invent_points(shape))
        ours, found = seconds_of(lambda points=points: geometry.joint_geometry(points, key=jax.random.key(0)), repeats)
        classes, num_draws = int(found.classes_per_draw), int(found.num_draws)
        draw, capacity = peer_seconds(np.asarray(points), classes, peer_draws)
        size = " x ".join(map(str, shape))
        agreed = f"{float(found.capacity):.4f} ± {float(found.capacity_standard_error):.4f}"
        peer = draw * num_draws
        rows.append(
            {"P x M x N": size, "P'": classes, "draws": num_draws, "ours, s": ours, "nnls, s": peer}
            | {"ratio": peer / ours, "capacity": agreed, f"of nnls, {peer_draws} draws": f"{capacity:.4f}"}
        )
        print(*rows[-1].values(), flush=True)
    return table(rows)


def growth(repeats: int) -> str:
    """How seconds grow with draws and with the points of a draw; Markdown."""
    draws, points = (200, 400, 800, 1600), (200, 400, 600, 800, 1000)
    fixed = jnp.asarray(invent_points((10, 50, 784)))
    call = lambda number: lambda: geometry.joint_geometry(fixed, key=jax.random.key(0), num_draws=number)
    by_draws = [seconds_of(call(number), repeats)[0] for number in draws]
    by_points = []
    for number in points:
        own = jnp.asarray(invent_points((number // 50, 50, 1200)))
        call = lambda own=own: geometry.joint_geometry(own, key=jax.random.key(0), classes_per_draw=own.shape[0])
        by_points.append(seconds_of(call, repeats)[0])
    grown = (("draws, of 500 points", draws, by_draws), ("points of a draw, 200 draws", points, by_points))
    rows = []
    for name, sizes, seconds in grown:
        texts = {"sizes": ", ".join(map(str, sizes)), "seconds": ", ".join(f"{each:.2f}" for each in seconds)}
        # Exponent of the growth, by least squares on logarithms.
        rows.append({"with": name, **texts, "exponent": float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])})
    return table(rows)


def main(_) -> None:
    """Prints or writes the tables."""
    with one_thread():
        text = "\n\n".join([compared(FLAGS.repeats, FLAGS.peer_draws), growth(max(2, FLAGS.repeats // 2))])
    print(text)
    if FLAGS.write:
        document.write(MODULE, f"{text}\n\n{document.provenance(MODULE)}")


if __name__ == "__main__":
    app.run(main)
