"""Activations larger than memory: peak and processor seconds of `GeometryAccumulator`, and that it equals one call.

    python -m benchmarks.larger_than_memory                                       # 50 layers, about 20 minutes, 20 GB of disk
    python -m benchmarks.larger_than_memory --layers=2 --classes=100              # a minute
    python -m benchmarks.larger_than_memory --compare --classes=20                # 3 layers beside analyze

Layers are invented batch by batch, in shuffled order: rectified Gaussian classes around centers that share 200 directions,
with less spread in later layers. The seconds that this takes are told apart.
"""

import resource
import time
from collections.abc import Iterator

import jax
import numpy as np
from absl import app, flags

from benchmarks.tables import table
from memorize_jax.own_activations.accumulator import GeometryAccumulator
from memorize_jax.own_activations.analyze import analyze

FLAGS = flags.FLAGS
flags.DEFINE_integer("layers", 50, "layers")
flags.DEFINE_integer("classes", 1000, "classes")
flags.DEFINE_integer("examples", 50, "examples of each class")
flags.DEFINE_integer("features", 2048, "units of each layer")
flags.DEFINE_integer("batch", 250, "examples of a batch")
flags.DEFINE_string("folder", None, "folder of the temporary files")
flags.DEFINE_integer("joint_draws", 200, "draws of the joint geometry, 0 for none")
flags.DEFINE_bool("compare", False, "compare a part with one call of analyze")
NUM_SHARED = 200


class Network:
    """Invents activations of any examples of its classes."""

    def __init__(self, num_layers: int, num_classes: int, num_features: int, seed: int = 0):
        rng = np.random.default_rng(seed)
        falling = np.arange(1, NUM_SHARED + 1, dtype=np.float32) ** -0.5
        self.latents = rng.standard_normal((num_classes, NUM_SHARED), dtype=np.float32) * falling
        self.mixes = rng.standard_normal((num_layers, NUM_SHARED, num_features), dtype=np.float32)
        self.spectrum = np.arange(1, num_features + 1, dtype=np.float32) ** -0.5
        self.spreads = np.linspace(8, 3, num_layers, dtype=np.float32)

    def layers(self, labels: np.ndarray, seed: int) -> dict[str, np.ndarray]:
        """Activations of all layers for examples of some classes."""
        rng, found = np.random.default_rng([1, seed]), {}
        for number, (mix, spread) in enumerate(zip(self.mixes, self.spreads, strict=True)):
            noise = rng.standard_normal((len(labels), len(self.spectrum)), dtype=np.float32)
            noise *= spread * self.spectrum
            noise += self.latents[labels] @ mix
            found[f"layer{number}"] = np.maximum(noise, 0, out=noise)
        return found

    def batches(self, num_examples: int, size: int) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        """All classes in shuffled order."""
        labels = np.random.default_rng(2).permutation(np.repeat(np.arange(len(self.latents)), num_examples))
        for start in range(0, len(labels), size):
            own = labels[start : start + size]
            yield self.layers(own, start), own


def peak_bytes() -> int:
    """Most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def stream() -> None:
    """Times the parts."""
    network = Network(FLAGS.layers, FLAGS.classes, FLAGS.features)
    options = {"folder": FLAGS.folder, "joint_draws": FLAGS.joint_draws}
    accumulator = GeometryAccumulator(examples_per_class=FLAGS.examples, **options)
    spent, peaks = dict.fromkeys(("invent", "add", "result"), 0.0), {}
    batches, clock = network.batches(FLAGS.examples, FLAGS.batch), time.process_time
    while True:
        started = clock()
        batch = next(batches, None)
        spent["invent"] += clock() - started
        peaks.setdefault("invent", peak_bytes())
        if batch is None:
            break
        started = clock()
        accumulator.add(*batch)
        spent["add"] += clock() - started
    peaks["add"] = peak_bytes()
    print(f"added: {spent}, peak {peaks}", flush=True)
    started = clock()
    result = accumulator.result()
    spent["result"] = clock() - started
    peaks["result"] = peak_bytes()
    rows = [
        {"part": part, "CPU s": own, "CPU s a layer": own / FLAGS.layers, "peak so far, GB": peaks.get(part, 0) / 1e9}
        for part, own in spent.items()
    ]
    print(table(rows))
    print(result.summary().to_string())
    print(np.asarray(result.geometry.num_center_components).tolist())


def compare() -> None:
    """Two orders of batches beside one call."""
    network = Network(3, FLAGS.classes, FLAGS.features)
    parts = list(network.batches(FLAGS.examples, 40))
    labels = np.concatenate([own for _, own in parts])
    layers = {name: np.concatenate([batch[name] for batch, _ in parts]) for name in parts[0][0]}
    whole = analyze(layers, labels, examples_per_class=FLAGS.examples)
    for size, order in ((40, np.arange(len(labels))), (7, np.random.default_rng(3).permutation(len(labels)))):
        accumulator = GeometryAccumulator(examples_per_class=FLAGS.examples)
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            accumulator.add({name: x[rows] for name, x in layers.items()}, labels[rows], indices=rows)
        result = accumulator.result()
        found = [jax.tree.leaves((each.geometry, each.joint, each.participation)) for each in (result, whole)]
        named = jax.tree_util.tree_leaves_with_path((whole.geometry, whole.joint, whole.participation))
        # A residual is itself rounding.
        worst = {
            jax.tree_util.keystr(path): float(np.nanmax(np.abs(np.asarray(a, float) - b) / np.maximum(np.abs(b), 1e-9)))
            for (path, _), a, b in zip(named, *found, strict=True)
            if np.isfinite(b).any() and "kkt_residual" not in jax.tree_util.keystr(path)
        }
        least = sorted(worst.items(), key=lambda item: -item[1])[:5]
        print(f"batches of {size}: largest relative differences {least}")


def main(_):
    """Prints."""
    (compare if FLAGS.compare else stream)()


if __name__ == "__main__":
    app.run(main)
