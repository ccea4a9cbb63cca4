"""Draws the last hidden layer, and an earlier one, in the plane: who is near whom, before and after memorizing.

    python -m experiments.umap --workdir=runs/mine --umap_epochs=0,best,final

Writes results/umap.csv, figures/fig2b.svg and figures/figa2.svg in the run's folder; for an ensemble, the table of all
of its seeds. Needs umap-learn: pip install 'memorize_jax[umap]'.
"""

import dataclasses
import functools

import jax
import numpy as np

from experiments import cli
from experiments.configs import UmapConfig
from experiments.trained import Trained, analysis, run_chosen
from memorize_jax import data, models
from memorize_jax.activations import flat_reader, hosted_activations
from memorize_jax.analysis import best_epoch, final_epoch
from memorize_jax.analysis.embedding import embed, umap_version
from memorize_jax.data import Group
from memorize_jax.keys import stream
from memorize_jax.models.layers import Layer
from memorize_jax.storage.tables import UMAP


def choose_layers(model: str) -> list[Layer]:
    """The layers of figures A.2 and 2B: an earlier one, row 15 of the table as in the paper's VGG16 or else the middle
    one, and the last hidden one.
    """
    hidden = models.layers(model)[:-1]
    in_table = [layer for layer in hidden if layer.number == 15] if model == "vgg16" else []
    earlier = (in_table or [hidden[len(hidden) // 2]])[0]
    return list(dict.fromkeys((earlier, hidden[-1])))


def choose_examples(trained: Trained, config: UmapConfig) -> dict[str, Group]:
    """Chooses the examples of every group: of each of the first classes the first in a random order.

    Permuted and restored examples have the same order, so that they are the same ones where they can be.

    Args:
      trained: the run.
      config: UmapConfig.

    Returns:
      group -> Group; a group that is empty in this run is left out.
    """
    seed = np.asarray(jax.random.key_data(stream(trained.config.seed, "umap examples"))).ravel()
    chosen = {}
    for name, group in data.example_groups(trained.labels, trained.splits.test.labels).items():
        order = np.random.default_rng(seed).permutation(len(group.indices))
        first = [order[group.labels[order] == label][: config.umap_examples] for label in range(config.umap_classes)]
        kept = np.concatenate(first)
        if len(kept):
            chosen[name] = Group(group.indices[kept], group.labels[kept])
    return chosen


@analysis("umap", before=lambda folder: umap_version())
def run(trained: Trained, config: UmapConfig) -> None:
    """Embeds the layers of a run and writes results/umap.csv.

    All groups of a layer at an epoch are embedded together, every example once.
    """
    seed, train, test = trained.config.seed, trained.splits.train, trained.splits.test
    epochs = trained.select_epochs(config.umap_epochs)
    chosen = choose_examples(trained, config)
    of_train = [group.indices for name, group in chosen.items() if name != "test"]
    shown_train, shown_test = np.unique(np.concatenate(of_train)), chosen["test"].indices
    layers = {layer.name: layer for layer in choose_layers(trained.config.model)}
    read = flat_reader(trained.model(), trained.statistics, tuple(layers))

    units = [(epoch, name) for epoch in epochs for name in layers]

    @functools.lru_cache(maxsize=1)
    def activations(epoch):
        variables = trained.store.load(epoch)
        images = [train.images[shown_train], test.images[shown_test]]
        return {name: sets for name, sets in hosted_activations(read, variables, images, tuple(layers))}

    def measured(unit):
        epoch, name = unit
        points = np.concatenate(activations(epoch)[name])
        places = embed(points, seed=seed, num_neighbors=config.umap_neighbors)
        common = {"seed": seed, "epoch": epoch, "stage": _stage(trained.metrics, epoch)}
        common |= {"layer": name, "layer_number": layers[name].number}
        rows = []
        for group, own in chosen.items():
            where = np.searchsorted(shown_train, own.indices)
            if group == "test":
                where = len(shown_train) + np.arange(len(own.indices))
            true = test.labels if group == "test" else trained.labels.true
            assigned = test.labels if group == "test" else trained.labels.assigned
            for example, (x, y) in zip(own.indices, places[where], strict=True):
                labels = {"true": int(true[example]), "assigned": int(assigned[example])}
                # Four digits are more than a figure shows.
                place = {"x": round(float(x), 4), "y": round(float(y), 4)}
                rows.append({**common, "group": group, "example": int(example), **labels, **place})
        return rows

    settings = {**dataclasses.asdict(config), "umap_epochs": "", "umap-learn": umap_version()}
    trained.make_table("umap", UMAP, units, measured, settings=settings, counted="embedding")


def _stage(metrics, epoch):
    """Which of init, best and final an epoch is, joined by + if it is several."""
    stages = {"init": 0, "best": best_epoch(metrics), "final": final_epoch(metrics)}
    return "+".join(name for name, at in stages.items() if at == epoch)


if __name__ == "__main__":
    cli.start(lambda: run_chosen("umap", run, ("fig2b", "figa2")), *cli.of_analysis(UmapConfig))
