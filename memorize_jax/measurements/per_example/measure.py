"""How every example of a run is followed: one pass over the stored epochs, in one unit of work."""

from collections.abc import Callable

import numpy as np

from memorize_jax.activations import flat_reader, hosted_activations, run_in_batches
from memorize_jax.data import standardize
from memorize_jax.epochs import STAGES
from memorize_jax.measurements.measurement import Work
from memorize_jax.measurements.per_example import PerExampleSettings
from memorize_jax.measurements.per_example.depth import neighbor_votes, prediction_depth
from memorize_jax.measurements.per_example.dynamics import NONE, Outputs, add, read_logits, start, summarize
from memorize_jax.measurements.per_example.epoch_lists import listed
from memorize_jax.measurements.per_example.rankings import auroc_rows, image_rows
from memorize_jax.progress import bar, warn
from memorize_jax.runs.run import Run

LOGITS = "logits"


def plan(run: Run, settings: PerExampleSettings) -> Work:
    """Goes through the epochs once; what is held does not grow with their number."""
    images = run.splits.train.images

    def rows(unit):
        columns = _columns(run, settings.depth_neighbors)
        names, values = list(columns), [column.tolist() for column in columns.values()]
        return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]

    derived = {"per_example_auroc": auroc_rows, "per_example_images": lambda table: image_rows(table, images)}
    depends_on = {**settings.apart_from_epochs(), "stored_epochs": run.stored_epochs}
    return Work(["all examples"], rows, lambda unit: run.stored_epochs, depends_on=depends_on, derived=derived)


def _columns(run: Run, num_neighbors: int) -> dict[str, np.ndarray]:
    """Column of results/per_example.csv -> its values; none if no network could be read."""
    labels, images, last = run.labels, run.splits.train.images, run.final_epoch
    if num_neighbors >= len(images):
        raise ValueError(f"expected depth_neighbors below {len(images)}, the training examples, got {num_neighbors}")
    num, model, statistics, stored = len(images), run.model(), run.statistics, run.stored_epochs
    if lost := sorted(set(run.metrics["epoch"].tolist()) - set(stored)):
        warn(f"followed at {len(stored)} of {last + 1} epochs; the run keeps no network of {listed(lost)}")

    def read(variables, images):
        return {LOGITS: model.apply(variables, standardize(images, statistics), train=False)}

    find_depth = _depth(run, num_neighbors) if num_neighbors else lambda network, predicted: np.full(num, np.nan)
    at_stage = {stage: _not_read(num) for stage in STAGES}
    dynamics = start(num)
    with bar("per_example", "epoch", len(stored)) as progress:
        for epoch, network in run.networks(stored):
            outputs = read_logits(run_in_batches(read, network, images, (LOGITS,))[LOGITS], labels.assigned)
            dynamics = add(dynamics, epoch, outputs, labels.assigned, labels.true)
            for stage, at in zip(STAGES, (run.best_epoch, last), strict=True):
                if epoch == at:
                    at_stage[stage] = outputs, find_depth(network, outputs.predicted)
            progress.update()
    if not dynamics.num_epochs:
        return {}
    columns = summarize(dynamics, last)
    if (at_stage["final"][0].predicted == NONE).all():
        # Whether a label was forgotten in the end, or never learned, is not known without the final network.
        columns["learned_epoch"] = np.full(num, np.nan)
    constant = {"seed": run.config.seed, "num_epochs": dynamics.num_epochs, "num_probes": len(run.layers)}
    return {
        "example": np.arange(num),
        "true": labels.true,
        "assigned": labels.assigned,
        "is_permuted": labels.is_permuted,
        **columns,
        **{f"loss_{stage}": outputs.loss for stage, (outputs, _) in at_stage.items()},
        **{f"prediction_depth_{stage}": depth for stage, (_, depth) in at_stage.items()},
        **{f"predicted_{stage}": outputs.predicted for stage, (outputs, _) in at_stage.items()},
        **{name: np.full(num, value) for name, value in constant.items()},
    }


def _not_read(num):
    """What stands for the outputs and the depths of a network that is damaged."""
    unknown = np.full(num, np.nan)
    return Outputs(np.full(num, NONE), unknown, unknown), unknown


def _depth(run: Run, num_neighbors: int) -> Callable[[dict, np.ndarray], np.ndarray]:
    """(network, its predictions) -> prediction depth of every training example; one layer is held at a time."""
    names, images = tuple(run.layers), run.splits.train.images
    read = flat_reader(run.model(), run.statistics, names[1:])
    options = {"num_neighbors": num_neighbors, "num_classes": run.splits.train.num_classes}

    def find(network, predicted):
        layers = hosted_activations(read, network, [images], names)
        votes = [np.asarray(neighbor_votes(points, run.labels.assigned, **options)) for _, (points,) in layers]
        return prediction_depth(np.stack(votes), predicted)

    return find
