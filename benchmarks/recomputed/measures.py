"""What each table of a run says of some rows, and what PyTorch, SciPy and plain float64 say of them."""

from collections.abc import Iterator, Sequence

import jax.numpy as jnp
import numpy as np
import pandas as pd
import torch

from benchmarks.recomputed import geometry as again
from benchmarks.recomputed.compared import Recomputed
from benchmarks.recomputed.gradients import gradient_rows
from benchmarks.recomputed.network import NETWORKS, layers_of, parameters, predictions, scale_of, scaled, together
from memorize_jax.analysis.examples import choose_examples
from memorize_jax.analysis.settings import GeometrySettings
from memorize_jax.geometry import center_structure
from memorize_jax.keys import stream
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.noted import read_noted
from memorize_jax.runs.run import Run

# Standard errors by which two estimates may differ.
ERRORS = 4
ACCURACIES = ("train_accuracy", "unpermuted_accuracy", "permuted_accuracy", "restored_accuracy", "test_accuracy")


def accuracies(run: Run, own: dict) -> dict[str, float]:
    """The accuracies of a network on all examples of a run."""
    train, labels, scale = run.splits.train, run.labels, scale_of(run.splits.train.images)
    found = predictions(run.config.model, own, train.images, scale)
    assigned, true, permuted = found == labels.assigned, found == labels.true, labels.is_permuted
    test = predictions(run.config.model, own, run.splits.test.images, scale) == run.splits.test.labels
    values = (
        assigned.mean(),
        assigned[~permuted].mean(),
        assigned[permuted].mean(),
        true[permuted].mean(),
        test.mean(),
    )
    return dict(zip(ACCURACIES, map(float, values), strict=True))


def metrics_rows(run: Run, rng: np.random.Generator, number: int) -> Iterator[Recomputed]:
    """Accuracies of some epochs that are stored."""
    epochs = rng.permutation([run.best_epoch, run.final_epoch, *run.stored_epochs])[:number]
    for epoch in sorted(set(epochs.tolist())):
        stored = run.metrics.set_index("epoch").loc[epoch]
        yield from _accuracies(
            "metrics", f"epoch {epoch}", stored, accuracies(run, parameters(run.network(epoch))), run
        )


def rewinding_rows(run: Run, rng: np.random.Generator, number: int) -> Iterator[Recomputed]:
    """Accuracies of some networks with one layer rewound."""
    table = run.table("rewinding")
    table = table[(table["num_layers"] == 1) & (table["into"] == "final") & (table["bn"] == "with_layer")]
    for _, stored in table.sample(min(number, len(table)), random_state=int(rng.integers(2**31))).iterrows():
        own, earlier = (parameters(run.network(epoch)) for epoch in (run.final_epoch, int(stored["rewind_epoch"])))
        own |= {name: earlier[name] for name in together(run.config.model, stored["layer"])}
        row = f"{stored['layer']} of epoch {stored['rewind_epoch']}"
        yield from _accuracies("rewinding", row, stored, accuracies(run, own), run)


def _accuracies(table, row, stored, found, run) -> Iterator[Recomputed]:
    """Logits that are equal but for rounding may fall either way: two examples in a thousand, and one at least."""
    permuted = int(np.sum(run.labels.is_permuted))
    counts = len(run.labels.true), len(run.labels.true) - permuted, permuted, permuted, len(run.splits.test.labels)
    for name, count in zip(ACCURACIES, counts, strict=True):
        if count:
            yield Recomputed(table, row, name, float(stored[name]), found[name], max(1.01 / count, 2e-3))


def geometry_rows(run: Run, rng: np.random.Generator, number: int, num_draws: int) -> Iterator[Recomputed]:
    """Both capacities of some layers; the directions that are removed are the library's, the rest is done again."""
    settings = GeometrySettings(**read_noted(RunFolder(run.workdir)).settings.get("geometry", {}))
    table = run.table("geometry")
    table = table[table["status"] == 0]
    chosen = choose_examples(run.splits, run.labels, settings, seed=run.config.seed)
    scale = scale_of(run.splits.train.images)
    for _, stored in table.sample(min(number, len(table)), random_state=int(rng.integers(2**31))).iterrows():
        split = run.splits.test if stored["group"] == "test" else run.splits.train
        examples = chosen[stored["group"]]
        images = scaled(split.images[examples.ravel()], scale)
        with torch.no_grad():
            shown = layers_of(run.config.model, parameters(run.network(int(stored["epoch"]))), images)
        value = images if stored["layer"] == "input" else shown[stored["layer"]]
        points = value.flatten(1).numpy().reshape(*examples.shape, -1)
        row = f"epoch {stored['epoch']}, {stored['layer']}, {stored['group']}"
        found = again.mean_field_capacity(points, _removed(points, stored, run), num_draws, rng)
        yield _estimate(row, "capacity", stored["capacity"], stored["capacity_standard_error"], found)
        if stored.get("joint_status") == 0:
            found = again.joint_capacity(points, int(stored["joint_classes"]), num_draws, rng)
            yield _estimate(
                row, "joint_capacity", stored["joint_capacity"], stored["joint_capacity_standard_error"], found
            )


def _removed(points, stored, run) -> np.ndarray:
    """The shared directions of the centers that the table says were removed, orthonormal."""
    centers = (points - points.mean(axis=(0, 1))).mean(axis=1)
    number = int(stored["num_center_components"])
    gram, key = jnp.asarray(centers @ centers.T, jnp.float32), stream(run.config.seed, "geometry")
    found = center_structure(gram, key=key)
    if int(found.num_components) != number:
        found = center_structure(gram, key=key, num_components=number)
    return np.linalg.qr((np.asarray(found.coefficients, np.float64)[:, :number].T @ centers).T)[0].T


def _estimate(row, quantity, stored, error, found) -> Recomputed:
    value, own_error = found
    return Recomputed("geometry", row, quantity, stored, value, ERRORS * float(np.hypot(error, own_error)))


def decoding_rows(run: Run, rng: np.random.Generator, number: int) -> Iterator[Recomputed]:
    """Test accuracy of the nearest subspace of some layers, by singular vectors of all training examples."""
    table, labels = run.table("decoding"), run.labels
    table = table[
        (table["method"] == "masc") & (table["num_fitted"] == len(labels.true)) & (table["num_features"] <= 2048)
    ]
    for _, stored in table.sample(min(number, len(table)), random_state=int(rng.integers(2**31))).iterrows():
        own = parameters(run.network(int(stored["epoch"])))
        train, test = (
            _layer(run, own, stored["layer"], images) for images in (run.splits.train.images, run.splits.test.images)
        )
        fitted, best = getattr(labels, stored["labels"]), []
        for label in range(run.splits.train.num_classes):
            values, vectors = np.linalg.eigh(train[fitted == label].T @ train[fitted == label])
            shares = np.cumsum(values[::-1]) / values.sum()
            basis = vectors[:, ::-1][:, : int(np.sum(shares <= 0.99)) + 1]
            best.append(np.sum((test @ basis) ** 2, axis=1))
        found = float(np.mean(np.argmax(best, axis=0) == run.splits.test.labels))
        row = f"epoch {stored['epoch']}, {stored['layer']}, {stored['labels']}"
        yield Recomputed("decoding", row, "test_accuracy", stored["test_accuracy"], found, max(1.01 / len(test), 2e-3))


def _layer(run, own, layer, images) -> np.ndarray:
    found, scale = [], scale_of(run.splits.train.images)
    with torch.no_grad():
        for start in range(0, len(images), 1000):
            value = scaled(images[start : start + 1000], scale)
            shown = value if layer == "input" else layers_of(run.config.model, own, value)[layer]
            found.append(shown.flatten(1).numpy())
    return np.concatenate(found)


def all_rows(run: Run, number: int, *, num_draws: int = 60, seed: int = 0) -> Iterator[Recomputed]:
    """A sample of `number` rows of every table that there is; raises ValueError for a network that is not here."""
    if run.config.model not in NETWORKS:
        raise ValueError(f"expected a run of {', '.join(NETWORKS)}, got {run.config.model}")
    rng = np.random.default_rng(seed)
    yield from metrics_rows(run, rng, number)
    for table, rows in (("rewinding", rewinding_rows), ("decoding", decoding_rows)):
        if run.has_table(table):
            yield from rows(run, rng, number)
    # A mixed batch normalizes itself by BatchNorm, so that the batches would have to be the library's.
    if run.has_table("gradients") and not run.network(run.final_epoch).get("batch_stats"):
        yield from gradient_rows(run, rng, number)
    if run.has_table("geometry"):
        yield from geometry_rows(run, rng, number, num_draws)


def as_table(rows: Sequence[Recomputed]) -> pd.DataFrame:
    """All that was recomputed, with whether it agrees."""
    return pd.DataFrame([{**row._asdict(), "agrees": row.agrees} for row in rows])
