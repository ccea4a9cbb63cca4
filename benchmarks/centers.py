"""The search for the directions that centers share: its costs in float64 beside those of the version before, and time.

    python -m benchmarks.centers            # prints, about two minutes
    python -m benchmarks.centers --write    # into docs/performance.md

Fifteen cases force K to 1, 2, 3 on the sets in third_party/mftma_reference; on fourteen more K is chosen. What the version
before found (commit 9f57f74) is in benchmarks/centers_before.json; `--before` writes that file anew, with the version of
memorize_jax that is on the path.
"""

import json
import pathlib
import time
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags
from jaxtyping import Array, Float

from benchmarks import document
from benchmarks.tables import table
from memorize_jax import geometry

MODULE = "benchmarks.centers"
BEFORE = pathlib.Path(__file__).parent / "centers_before.json"
REFERENCE = pathlib.Path(__file__).parents[1] / "third_party" / "mftma_reference" / "mftma_reference.npz"
REFERENCE_SETS = ("digits", "few_features", "gaussian", "lowrank_centers", "spheres")
KINDS = ("random", "shared", "decaying", "clusters", "low rank", "rectified", "unequal")
SIZES = (10, 100)

FLAGS = flags.FLAGS
flags.DEFINE_bool("write", False, "write the tables into docs/performance.md")
flags.DEFINE_bool("before", False, "write what this version finds into benchmarks/centers_before.json")
flags.DEFINE_integer("repeats", 5, "timed calls after the first")


class Judged(NamedTuple):
    """What a choice of directions is worth, in float64.

    Attributes:
      num_components: K.
      cost: 1/2 sum of cos^2 over all pairs of centers without the directions.
      correlation: mean |cos| over different centers.
      retained: least share of its norm that a center keeps.
    """

    num_components: int
    cost: float
    correlation: float
    retained: float


def invent_centers(kind: str, num_centers: int, seed: int = 0) -> Float[np.ndarray, "P N"]:
    """Draws centers of one of `KINDS`, with 400 features."""
    rng = np.random.default_rng([seed, num_centers, KINDS.index(kind)])
    normal, num_features = rng.standard_normal, 400
    own = normal((num_centers, num_features))
    if kind == "random":
        return own
    if kind == "shared":
        return own + 2 * normal((num_centers, 3)) @ normal((3, num_features))
    if kind == "decaying":
        return own * np.arange(1, num_features + 1) ** -0.5
    if kind == "clusters":
        return own + 2 * normal((5, num_features))[rng.integers(5, size=num_centers)]
    if kind == "low rank":
        rank = max(3, num_centers // 3)
        return own + 3 * normal((num_centers, rank)) @ normal((rank, num_features)) / rank**0.5
    if kind == "rectified":
        # What a random layer makes of inputs with few directions.
        return np.maximum(normal((num_centers, 20)) @ normal((20, num_features)) + 2 * normal(num_features), 0)
    return own * np.exp(normal((num_centers, 1))) + normal((num_centers, 2)) @ normal((2, num_features))


def judge(gram: Float[np.ndarray, "P P"], coefficients: Float[Array | np.ndarray, "P K"]) -> Judged:
    """Computes in float64 what directions are worth that are given as combinations of centers."""
    num = len(gram)
    centering = np.eye(num) - 1 / num
    centered = centering @ gram @ centering
    used = np.asarray(coefficients, np.float64)
    used = used[:, np.any(used != 0, axis=0)]
    overlap = centered @ used
    # Orthonormal to the last digit of float32 only.
    residual = centered - overlap @ np.linalg.solve(used.T @ overlap, overlap.T)
    norms = np.sqrt(np.diagonal(residual))
    cosines = residual / np.outer(norms, norms)
    correlation = float(np.mean(np.abs(cosines[~np.eye(num, dtype=bool)])))
    retained = float(np.min(norms / np.sqrt(np.diagonal(centered))))
    return Judged(used.shape[1], float(0.5 * np.sum(cosines**2)), correlation, retained)


def cases() -> Iterator[tuple[str, Float[np.ndarray, "P P"], int | None]]:
    """Yields name, inner products of the centers, and K where it is forced."""
    points = np.load(REFERENCE, allow_pickle=False)
    for name in REFERENCE_SETS:
        centers = points[f"{name}/X"].mean(axis=2, dtype=np.float64)
        for number in (1, 2, 3):
            yield f"{name}, K = {number}", centers @ centers.T, number
    for num_centers in SIZES:
        for kind in KINDS:
            centers = invent_centers(kind, num_centers)
            yield f"{kind}, P = {num_centers}", centers @ centers.T, None


def search(gram: Float[np.ndarray, "P P"], num_components: int | None) -> geometry.CenterStructure:
    """Finds directions in float32, as a measurement does."""
    found = geometry.center_structure(
        jnp.asarray(gram, jnp.float32), key=jax.random.key(0), num_components=num_components
    )
    return jax.block_until_ready(found)


def read_before() -> dict[str, Judged]:
    """What the version before found, by name of the case."""
    return {name: Judged(*values) for name, values in json.loads(BEFORE.read_text(encoding="utf-8")).items()}


def compared(repeats: int) -> str:
    """The table of all cases; Markdown."""
    before, rows = read_before(), []
    for name, gram, num_components in cases():
        now = judge(gram, search(gram, num_components).coefficients)
        spent = []
        for _ in range(repeats):
            started = time.process_time()
            search(gram, num_components)
            spent.append(time.process_time() - started)
        then = before[name]
        rows.append(
            {"case": name, "K before": then.num_components, "K": now.num_components}
            | {"cost before": f"{then.cost:.4f}", "cost": f"{now.cost:.4f}", "ratio": f"{now.cost / then.cost:.4f}"}
            | {"mean cos before": f"{then.correlation:.4f}", "mean cos": f"{now.correlation:.4f}"}
            | {"least kept before": f"{then.retained:.2f}", "least kept": f"{now.retained:.2f}"}
            | {"CPU s": min(spent)}
        )
        print(*rows[-1].values(), flush=True)
    return table(rows)


def main(_) -> None:
    """Prints or writes the table, or writes down what this version finds."""
    if FLAGS.before:
        found = {name: judge(gram, search(gram, number).coefficients) for name, gram, number in cases()}
        rounded = {name: [each.num_components, *(round(x, 6) for x in each[1:])] for name, each in found.items()}
        lines = ",\n".join(f'  "{name}": {json.dumps(values)}' for name, values in rounded.items())
        BEFORE.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
        return
    text = f"""### The search for shared directions of centers

Costs in float64 of what is found in float32, beside the version before (commit 9f57f74); where K is not forced it is chosen.
A lower cost is better; of restarts within 3 % of the lowest the one is kept whose worst-treated center keeps most of its norm.

{compared(FLAGS.repeats)}
"""
    document.finish(MODULE, [text], write_too=FLAGS.write)


if __name__ == "__main__":
    app.run(main)
