"""Memory of the geometry: what XLA plans to use, and what a fresh process really uses."""

import functools
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.clock import peak_bytes
from benchmarks.tables import table
from memorize_jax import data, geometry, models
from memorize_jax.analysis import network_geometry

GIB = 2**30
# Most of all, and most beyond one layer's activations.
TARGETS = {"process GiB": 6, "beyond GiB": 1}


def _in_fresh_process(function, *args):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def _measure_layer(shape, num_draws):
    points = np.random.default_rng(0).standard_normal(shape, np.float32)
    before = peak_bytes()
    jax.block_until_ready(geometry.manifold_geometry(points, key=jax.random.key(0), num_draws=num_draws))
    return before, peak_bytes()


def layer_section(*, cases) -> str:
    """Reports what XLA plans to use and what a fresh process really uses; Markdown."""
    records = []
    for shape, num_draws in cases:
        key = jax.random.key(0)
        measure = jax.jit(lambda points, n=num_draws, k=key: geometry.manifold_geometry(points, key=k, num_draws=n))
        planned = measure.lower(jax.ShapeDtypeStruct(shape, jnp.float32)).compile().memory_analysis()
        before, after = _in_fresh_process(_measure_layer, shape, num_draws)
        records.append(
            dict(zip(("P", "M", "N"), shape, strict=True))
            | {"draws": num_draws, "points GiB": planned.argument_size_in_bytes / GIB}
            | {"XLA temporaries GiB": planned.temp_size_in_bytes / GIB}
            | {"process beyond points GiB": (after - before) / GIB, "process GiB": after / GIB}
        )
    return f"""### Memory

One layer, from a NumPy array. *XLA temporaries* is the compiled program's own plan. *Process* is the high-water mark of a
fresh process; beyond the points it also holds what JAX needs to start and to compile.

{table(records)}
"""


def _measure_network(name, num_classes, num_draws):
    shape = (num_classes, 50, 32, 32, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    model = models.create(name, num_classes=num_classes)
    variables = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, *shape[2:])))
    statistics = data.channel_statistics(images.reshape(-1, *shape[2:]))
    options = {"statistics": statistics, "layers": models.layer_names(name), "num_center_components": 1}
    measure = functools.partial(network_geometry, model, key=jax.random.key(0), num_draws=num_draws, **options)
    compiled = jax.jit(measure).lower(variables, images).compile()
    before, started = peak_bytes(), time.perf_counter()
    found = jax.block_until_ready(compiled(variables, images))
    seconds = time.perf_counter() - started
    finite = bool(jnp.all(jnp.isfinite(found.capacity)))
    return before, peak_bytes(), seconds, finite, compiled.memory_analysis().temp_size_in_bytes


def network_section(name: str, *, num_classes: int, num_draws: int) -> str:
    """Reports the memory of measuring every layer of a network on one group of examples; Markdown."""
    before, after, seconds, finite, planned = _in_fresh_process(_measure_network, name, num_classes, num_draws)
    record = {"network": name, "classes": num_classes, "examples": 50, "XLA temporaries GiB": planned / GIB}
    record |= {"beyond GiB": (after - before) / GIB, "process GiB": after / GIB, "s": seconds, "all finite": finite}
    return f"""### Memory of a whole network

Every layer of one group of examples, K = 1. Networks too wide to hold run on a few classes at a time, twice. *Beyond*: the
high-water mark of a fresh process above what it took before the measurement, compiled by then. Targets: the process at
most {TARGETS["process GiB"]} GiB, the geometry at most {TARGETS["beyond GiB"]} GiB beyond one layer's activations.

{table([record])}
"""
