"""Steps of the campaign that measure manifolds."""

import pathlib
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import programs as quadratic
from benchmarks.clock import time_together
from benchmarks.invented import invent_points
from memorize_jax import geometry, models
from memorize_jax.analysis.manifolds import compiled_network_geometries
from memorize_jax.data import GROUPS, channel_statistics
from memorize_jax.measurements.decoding import classify, fit_subspaces

Records = list[dict[str, Any]]


def invent_classes(num_classes: int, num_examples: int, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Images [P, M, ...] around one of each class."""
    rng = np.random.default_rng(seed)
    means = rng.uniform(40, 215, (num_classes, 1, *shape))
    noise = rng.normal(0, 40, (num_classes, num_examples, *shape))
    return np.clip(means + noise, 0, 255).astype(np.uint8)


def memory_gib() -> float | None:
    """Most memory that the device has held, in GiB; None where it does not tell."""
    found = jax.devices()[0].memory_stats() or {}
    return found["peak_bytes_in_use"] / 2**30 if "peak_bytes_in_use" in found else None


def network(
    workdir: pathlib.Path,
    *,
    model: str,
    width: int | None,
    num_classes: int,
    num_examples: int,
    num_draws: int,
    joint_draws: int,
) -> Records:
    """All layers of an untrained network on every group of examples, K chosen; the first group compiles."""
    shape = (8, 8, 1) if model == "mlp" else (32, 32, 3)
    module = models.create(model, num_classes=num_classes, width=width, init="torch")
    variables = jax.jit(module.init)(jax.random.key(0), jnp.zeros((1, *shape)))
    groups = [invent_classes(num_classes, num_examples, shape, seed) for seed in range(len(GROUPS) + 1)]
    names = models.layer_names(model)
    statistics = channel_statistics(groups[0].reshape(-1, *shape))
    options = {"layers": names, "options": (("num_draws", num_draws), ("joint_draws", joint_draws))}
    seconds, components = [], []
    for images in groups:
        on_device, started = jax.device_put(images), time.perf_counter()
        found = compiled_network_geometries(module, variables, on_device, statistics, jax.random.key(0), **options)
        jax.block_until_ready(found)
        seconds.append(time.perf_counter() - started)
        components += np.asarray(found.mean_field.num_center_components).tolist()
    finite = bool(np.isfinite(np.asarray(found.mean_field.capacity)).all())
    return [
        {"network": model, "layers": len(names) + 1, "groups": len(groups) - 1, "P": num_classes, "M": num_examples}
        | {"draws": num_draws, "joint draws": joint_draws, "first s": seconds[0], "all groups s": sum(seconds[1:])}
        | {"K": f"{min(components)} to {max(components)}", "all finite": finite, "peak GiB": memory_gib()}
    ]


def _timed(call: Callable, repeats: int) -> tuple[dict[str, float], Any]:
    timing, found = time_together({"": call}, repeats=repeats)[""]
    return {"s": timing.best, "median s": timing.median, "compile s": timing.compile}, found


def layer(workdir: pathlib.Path, *, shape: tuple[int, int, int], num_draws: int, repeats: int) -> Records:
    """Mean-field geometry of one layer that is on the device, K chosen."""
    points = jax.device_put(invent_points("classes", tuple(shape)))
    call = lambda: geometry.manifold_geometry(points, key=jax.random.key(0), num_draws=num_draws)
    spent, found = _timed(call, repeats)
    sizes = dict(zip(("P", "M", "N"), shape, strict=True))
    about = {"draws": num_draws, **spent, "K": int(found.num_center_components)}
    return [{**sizes, **about, "worst": f"{float(jnp.max(found.kkt_residual)):.0e}", "peak GiB": memory_gib()}]


def joint(workdir: pathlib.Path, *, shapes: tuple, num_draws: int, repeats: int) -> Records:
    """Joint geometry of one layer that is on the device."""
    records = []
    for shape in map(tuple, shapes):
        points = jax.device_put(invent_points("classes", shape))
        call = lambda points=points: geometry.joint_geometry(points, key=jax.random.key(0), num_draws=num_draws)
        spent, found = _timed(call, repeats)
        sizes = {"P x M x N": " x ".join(map(str, shape)), "P'": int(found.classes_per_draw)}
        capacity = f"{float(found.capacity):.4f} ± {float(found.capacity_standard_error):.4f}"
        records.append({**sizes, "draws": int(found.num_draws), **spent, "capacity": capacity})
    return records


def simulated(workdir: pathlib.Path, *, shape: tuple[int, int, int], repeats: int) -> Records:
    """Simulated capacity of one layer, the host's share included."""
    points = invent_points("classes", tuple(shape))
    spent, found = _timed(lambda: geometry.simulated_capacity(points, key=jax.random.key(0)), repeats)
    sizes = dict(zip(("P", "M", "N"), shape, strict=True))
    return [{**sizes, **spent, "capacity": found.capacity, "dichotomies": int(found.tested.sum())}]


def decoding(workdir: pathlib.Path, *, num_classes: int, num_train: int, num_test: int, num_features: int) -> Records:
    """Subspaces of all classes fitted and the test set classified: a first call, which compiles, and a second."""
    rng = np.random.default_rng(0)
    decay = np.arange(1, num_features + 1, dtype=np.float32) ** -0.5
    labels = np.arange(num_train + num_test) % num_classes
    centers = rng.standard_normal((num_classes, num_features), np.float32) * decay
    points = rng.standard_normal((len(labels), num_features), np.float32) * decay + centers[labels]
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        found = fit_subspaces(points[:num_train], labels[:num_train], num_classes=num_classes)
        predicted = np.asarray(classify(found, points[num_train:]))
        seconds.append(time.perf_counter() - started)
    sizes = {"classes": num_classes, "train": num_train, "test": num_test, "features": num_features}
    accuracy = 100 * float(np.mean(predicted == labels[num_train:]))
    return [{**sizes, "first s": seconds[0], "s": seconds[1], "accuracy": accuracy}]


def programs(workdir: pathlib.Path, *, sizes: tuple, kinds: tuple, num_manifolds: int, num_draws: int) -> Records:
    """Our solver on the quadratic programs of `benchmarks.programs`, with its exactness."""
    records = []
    for num_examples in sizes:
        for kind in kinds:
            invented = quadratic.invent(quadratic.KINDS[kind], num_manifolds, num_examples, num_draws)
            spent, found = _timed(quadratic.ours(quadratic.DEFAULT, "float32", invented).call, 3)
            gaps = quadratic.residuals(invented, found)
            each = {"µs a program": 1e6 * spent["s"] / invented.count, "compile s": spent["compile s"]}
            records.append({"M": num_examples, "manifolds": kind, **each, "worst": f"{gaps.max():.0e}"})
    return records
