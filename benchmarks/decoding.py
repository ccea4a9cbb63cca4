"""Speed of the subspace classifier beside NumPy in float64, in one run on the same cores.

    python -m benchmarks.decoding --quick     # seconds, prints only
    python -m benchmarks.decoding --write     # all of Fashion-MNIST, into docs/performance.md

Every layer of the untrained MLP of Ketha and Ramaswamy: subspaces fitted to the training set, the test set classified.
"""

import os
import sys
import time

import jax
import numpy as np
from absl import app, flags

from benchmarks import document
from benchmarks.clock import peak_bytes
from benchmarks.tables import table
from memorize_jax import data, models
from memorize_jax.activations import INPUT, head_reader, hosted_activations
from memorize_jax.measurements.decoding import classify, fit_subspaces

MODULE = "benchmarks.decoding"
# At least this many times faster than NumPy.
TARGET = 5

FLAGS = flags.FLAGS
flags.DEFINE_bool("quick", False, "4,000 images and a network of a quarter of the width")
flags.DEFINE_bool("write", False, "write the table into docs/performance.md")
flags.DEFINE_float("variance", 0.99, "share that the components of a class must exceed")


def in_numpy(train: np.ndarray, labels: np.ndarray, test: np.ndarray, num_classes: int) -> np.ndarray:
    """The same in float64, class by class: A′A, its eigenvectors, squared projections."""
    scores = []
    for label in range(num_classes):
        own = train[labels == label].astype(np.float64)
        values, vectors = np.linalg.eigh(own.T @ own)
        values, vectors = values[::-1], vectors[:, ::-1]
        number = int(np.sum(np.cumsum(values) / np.sum(values) <= FLAGS.variance)) + 1
        scores.append(np.sum(np.square(test.astype(np.float64) @ vectors[:, :number]), axis=1))
    return np.argmax(np.stack(scores, axis=1), axis=1)


def in_jax(train: np.ndarray, labels: np.ndarray, test: np.ndarray, num_classes: int) -> np.ndarray:
    """Ours, in float32, as the experiment calls it."""
    subspaces = fit_subspaces(train, labels, num_classes=num_classes, variance=FLAGS.variance)
    return np.asarray(classify(subspaces, test))


def _clock(call):
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def measure() -> str:
    """Times both on every layer, in turns; Markdown."""
    splits = data.load("fashion_mnist")
    if FLAGS.quick:
        splits = type(splits)(*(each._replace(images=each.images[:4000], labels=each.labels[:4000]) for each in splits))
    model = models.create("masc_mlp", num_classes=10, width=32 if FLAGS.quick else None, init="torch")
    layers = models.layer_names("masc_mlp")
    read = head_reader(model, data.channel_statistics(splits.train.images, "symmetric"), layers, layers[-1])
    shape = jax.numpy.zeros((1, *splits.train.images.shape[1:]))
    variables = model.init(jax.random.key(0), shape)
    records, totals = [], np.zeros(5)
    images = [split.images for split in splits]
    for name, (train, test) in hosted_activations(read, variables, images, (INPUT, *layers[:-1])):
        call = lambda train=train, test=test: in_jax(train, splits.train.labels, test, 10)
        _, first, _ = _clock(call)
        ours, wall, cpu = _clock(call)
        peer = lambda train=train, test=test: in_numpy(train, splits.train.labels, test, 10)
        theirs, peer_wall, peer_cpu = _clock(peer)
        totals += first, wall, cpu, peer_wall, peer_cpu
        accuracy = [100 * np.mean(found == splits.test.labels) for found in (ours, theirs)]
        records.append(
            {"layer": name, "features": train.shape[1], "first s": first, "s": wall, "CPU s": cpu}
            | {"NumPy s": peer_wall, "NumPy CPU s": peer_cpu, "x": peer_wall / wall, "x CPU": peer_cpu / cpu}
            | {"accuracy": f"{accuracy[0]:.2f}", "NumPy accuracy": f"{accuracy[1]:.2f}"}
            | {"agree %": f"{100 * np.mean(ours == theirs):.2f}"}
        )
        print(records[-1], flush=True)
    first, wall, cpu, peer_wall, peer_cpu = totals
    records.append(
        {"layer": "all", "features": "", "first s": first, "s": wall, "CPU s": cpu, "NumPy s": peer_wall}
        | {"NumPy CPU s": peer_cpu, "x": peer_wall / wall, "x CPU": peer_cpu / cpu}
        | {"accuracy": "", "NumPy accuracy": "", "agree %": ""}
    )
    return f"""{len(splits.train.labels):,} training and {len(splits.test.labels):,} test images; each layer fitted and classified by ours (a first
call, which compiles, and a second), then by NumPy. CPU seconds count all threads. Target: {TARGET} x and less than a minute.
Peak memory of the process {peak_bytes() / 2**30:.1f} GiB; load average at the end {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores.
Made by `python -m benchmarks.decoding {" ".join(sys.argv[1:])}`, JAX {jax.__version__} on {jax.default_backend()}, NumPy {np.__version__}.

{table(records)}
"""


def main(argv: list[str]) -> None:
    """Measures, prints and, if asked, writes."""
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    text = measure()
    print(text)
    if FLAGS.write:
        document.write(MODULE, text)


if __name__ == "__main__":
    app.run(main)
