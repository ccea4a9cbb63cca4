"""What the report says of the embedding."""

from memorize_jax.pages.section import Section
from memorize_jax.pages.views import Number, make_view


def _umap(study):
    by = ["seed", "stage", "layer", "group"]
    rows = study.tables["umap"].groupby(by, sort=False).size().rename("points").reset_index()
    texts, whole = {"stage": "epoch", "layer": "layer", "group": "group"}, study.tables["umap"]
    return make_view("umap", "Embedded examples", rows, texts, {"points": Number("points", "d")}, whole=whole)


SECTION = Section("", {"umap": ((), _umap)})
