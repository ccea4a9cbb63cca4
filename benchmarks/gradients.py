"""Cost of the parts of the gradient at one epoch against one epoch's forward and backward pass, in the same process.

    python -m benchmarks.gradients

Both run over the same batches in float32 at the highest matrix precision; best of several passes.
"""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.clock import time_together
from memorize_jax import data, models
from memorize_jax.data import PermutedLabels, standardize
from memorize_jax.measurements.gradients.base_vectors import measure_gradients
from memorize_jax.recipe import cross_entropy
from memorize_jax.training.devices import split_batches

CASES = (
    # model, width, image shape, examples, batch size
    ("mlp", 256, (8, 8, 1), 1438, 719),
    ("mlp", 1024, (28, 28, 1), 4096, 1024),
    ("vgg16", 8, (32, 32, 3), 256, 64),
    ("resnet18", 8, (32, 32, 3), 256, 64),
)


def measure(name, width, shape, num, size):
    """Seconds of (one forward and backward pass over the data, parts at one epoch)."""
    rng = np.random.default_rng(0)
    images = jnp.asarray(rng.integers(0, 256, (num, *shape), np.uint8))
    assigned = rng.integers(0, 10, num).astype(np.int32)
    labels = PermutedLabels(assigned, assigned, np.arange(num) % 2 == 1)
    statistics = data.channel_statistics(np.asarray(images))
    model = models.create(name, num_classes=10, width=width, dropout=0.0)
    sample = standardize(images[:1], statistics)
    variables = {"batch_stats": {}, **jax.jit(model.init)(jax.random.key(0), sample)}
    batches = [(batch.indices[0], batch.mask[0]) for batch in split_batches(np.arange(num), size, 1)]

    @jax.jit
    def step(params, indices, mask):
        def loss_of(params):
            own = {**variables, "params": params}
            inputs = standardize(images[indices], statistics)
            logits, _ = model.apply(own, inputs, train=True, mask=mask, mutable=["batch_stats"])
            return jnp.sum(cross_entropy(logits, jnp.asarray(assigned)[indices]) * mask) / jnp.sum(mask)

        with jax.default_matmul_precision("highest"):
            return jax.value_and_grad(loss_of)(params)

    def epoch():
        for batch in batches:
            jax.block_until_ready(step(variables["params"], *batch))

    options = {"layers": models.layers(name), "statistics": statistics, "batches": batches}
    entry = lambda: measure_gradients(model, variables, images, labels, **options)
    return [timing.best for timing, _ in time_together({"epoch": epoch, "entry": entry}, repeats=4).values()]


def main():
    """Prints the table."""
    print("| network | width | examples | forward and backward | parts at one epoch | ratio |")
    print("|---|---|---|---|---|---|")
    for name, width, shape, num, size in CASES:
        epoch, ledger = measure(name, width, shape, num, size)
        print(f"| {name} | {width} | {num} | {epoch:.3f} s | {ledger:.3f} s | {ledger / epoch:.1f} |", flush=True)


if __name__ == "__main__":
    main()
