"""Embeds the last hidden layer, and an earlier one, in two dimensions by UMAP, before and after memorization.

    python -m experiments.umap --workdir=runs/mine --umap_epochs=0,best,final

Writes results/umap.csv, figures/fig2b.svg and figures/figa2.svg in the run's folder; for an ensemble, the table of all
of its seeds. Needs umap-learn: pip install 'memorize_jax[umap]'.
"""

import dataclasses

from memorize_jax.config import Settings, setting
from memorize_jax.measurements.measurement import Measurement, Table
from memorize_jax.storage.tables import UMAP


@dataclasses.dataclass(frozen=True)
class UmapSettings(Settings):
    """Settings of the embedding."""

    umap_epochs: str = setting("0,best,final", "Epochs to embed: comma-separated numbers and best, final, all, log.")
    umap_classes: int = setting(10, "Embed this many classes, the first ones; the paper's 10.", least=2)
    umap_examples: int = setting(50, "Examples of each class in each group, at most.", least=2)
    umap_neighbors: int = setting(15, "Neighbors that UMAP keeps near a point.", least=2)


MEANINGS = {
    "stage": "init, best or final, joined by + if the epoch is several of them; empty if it is none",
    "layer": "name of the hidden layer",
    "example": "position of the example in the training set, in group test in the test set, counted from 0",
    "assigned": "class that the network was trained to give the example, of a test example the true one",
    "x": "first coordinate in the plane; it has no unit, and only which points are near one another means something",
    "y": "second coordinate in the plane, likewise",
}

# Of importing umap-learn, which compiles, and of an embedding for each of its points.
COMPILE_SECONDS, POINT_SECONDS = 12.0, 7e-4


def _cost(work, settings):
    # Permuted and restored examples are the same ones; two layers at most.
    points = min(3 * settings.umap_classes * settings.umap_examples, work.num_examples)
    embeddings = work.count(settings.umap_epochs) * min(2, work.num_layers)
    return COMPILE_SECONDS + embeddings * (points * POINT_SECONDS + work.forward_seconds), None


MEASUREMENT = Measurement(
    name="umap",
    summary="Two-dimensional UMAP embedding of hidden layers (figures 2B and A.2)",
    room=__name__,
    of_any_network=False,
    of_final=True,
    settings=UmapSettings,
    tables={"umap": Table(UMAP, text=frozenset({"stage", "layer", "group"}), meanings=MEANINGS)},
    cost=_cost,
    package=("umap", "pip install 'memorize_jax[umap]'"),
)
