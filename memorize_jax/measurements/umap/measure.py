"""How the layers of a run are embedded: a unit of work for every epoch and layer."""

import functools

import jax
import numpy as np

from memorize_jax import data, models
from memorize_jax.activations import flat_reader, hosted_activations
from memorize_jax.data import Group
from memorize_jax.keys import stream
from memorize_jax.measurements.measurement import Work
from memorize_jax.measurements.umap import UmapSettings
from memorize_jax.measurements.umap.embedding import embed, umap_version
from memorize_jax.models.layers import Layer
from memorize_jax.runs.run import Run


def embedded_layers(model: str) -> list[Layer]:
    """The layers of figures A.2 and 2B: an earlier one, row 15 of the table as in the paper's VGG16 or else the middle
    one, and the last hidden one.
    """
    hidden = models.layers(model)[:-1]
    in_table = [layer for layer in hidden if layer.number == 15] if model == "vgg16" else []
    earlier = (in_table or [hidden[len(hidden) // 2]])[0]
    return list(dict.fromkeys((earlier, hidden[-1])))


def embedded_examples(run: Run, settings: UmapSettings) -> dict[str, Group]:
    """Group -> its examples, of each of the first classes the first in a random order; without empty groups.

    Permuted and restored examples have the same order, so that they are the same ones where they can be.
    """
    seed = np.asarray(jax.random.key_data(stream(run.config.seed, "umap examples"))).ravel()
    chosen = {}
    for name, group in data.example_groups(run.labels, run.splits.test.labels).items():
        order = np.random.default_rng(seed).permutation(len(group.indices))
        classes = range(settings.umap_classes)
        kept = np.concatenate([order[group.labels[order] == label][: settings.umap_examples] for label in classes])
        if len(kept):
            chosen[name] = Group(group.indices[kept], group.labels[kept])
    return chosen


def plan(run: Run, settings: UmapSettings) -> Work:
    """Embeds all groups of a layer at an epoch together, every example once."""
    seed, train, test = run.config.seed, run.splits.train, run.splits.test
    chosen = embedded_examples(run, settings)
    of_train = [group.indices for name, group in chosen.items() if name != "test"]
    shown_train, shown_test = np.unique(np.concatenate(of_train)), chosen["test"].indices
    layers = {layer.name: layer for layer in embedded_layers(run.config.model)}
    read = flat_reader(run.model(), run.statistics, tuple(layers))

    @functools.lru_cache(maxsize=1)
    def activations(epoch):
        images = [train.images[shown_train], test.images[shown_test]]
        return dict(hosted_activations(read, run.network(epoch), images, tuple(layers)))

    def rows(unit):
        epoch, name, stage = unit
        points = np.concatenate(activations(epoch)[name])
        places = embed(points, seed=seed, num_neighbors=settings.umap_neighbors)
        about = {"seed": seed, "epoch": epoch, "stage": stage}
        about |= {"layer": name, "layer_number": layers[name].number}
        result = []
        for group, own in chosen.items():
            if group == "test":
                true, assigned, where = test.labels, test.labels, len(shown_train) + np.arange(len(own.indices))
            else:
                true, assigned, where = run.labels.true, run.labels.assigned, np.searchsorted(shown_train, own.indices)
            for example, (x, y) in zip(own.indices, places[where], strict=True):
                labels = {"true": int(true[example]), "assigned": int(assigned[example])}
                # Four digits are more than a figure shows.
                place = {"x": round(float(x), 4), "y": round(float(y), 4)}
                result.append({**about, "group": group, "example": int(example), **labels, **place})
        return result

    epochs = run.select_epochs(settings.umap_epochs)
    # Which epoch is the best one may change while the network of an epoch stays what it is.
    units = [(epoch, name, _stage(run, epoch)) for epoch in epochs for name in layers]
    return Work(
        units,
        rows,
        lambda unit: [unit[0]],
        depends_on={**settings.apart_from_epochs(), "umap-learn": umap_version()},
        counted="embedding",
    )


def _stage(run, epoch):
    """Which of init, best and final an epoch is, joined by + if it is several."""
    stages = {"init": 0, "best": run.best_epoch, "final": run.final_epoch}
    return "+".join(name for name, at in stages.items() if at == epoch)
