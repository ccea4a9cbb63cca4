"""The UMAP step on the run of the smoke preset; umap-learn itself only where it is installed."""

import shutil

import numpy as np
import pytest
from memorize_jax.figures.catalogue import FIGURES, missing

from experiments import presets, umap
from memorize_jax import figures
from memorize_jax.runs.folder import Run
from memorize_jax.runs.labels import read_labels
from memorize_jax.storage.tables import UMAP, read_table
from memorize_jax.studies.study import read_study

CONFIG = presets.UmapConfig(umap_epochs="0,2,final", umap_examples=6)


@pytest.fixture
def copied(smoke_run, tmp_path):
    return shutil.copytree(smoke_run, tmp_path / "run")


@pytest.fixture
def embedded(monkeypatch):
    """Lets the first two features stand for the places; returns the points that were embedded."""
    seen = []

    def embed(points, *, seed, num_neighbors):
        seen.append(points)
        return points[:, :2]

    monkeypatch.setattr(umap, "embed", embed)
    monkeypatch.setattr(umap, "umap_version", lambda: "0")
    return seen


def table_of(workdir):
    return read_table(Run(workdir).results / "umap.csv", UMAP, "")


def test_every_layer_epoch_and_group_has_its_examples(copied, embedded):
    umap.run(copied, CONFIG)
    table, labels = table_of(copied), read_labels(Run(copied))
    assert table.groupby(["epoch", "layer", "group"]).size().unique().tolist() == [60]
    assert table["layer"].unique().tolist() == ["linear3", "linear5"]
    assert dict(zip(table["epoch"], table["stage"], strict=True)) == {0: "init", 2: np.nan, 4: "best+final"}
    of_train = table[table["group"] != "test"]
    np.testing.assert_array_equal(of_train["true"], labels.true[of_train["example"]])
    np.testing.assert_array_equal(of_train["assigned"], labels.assigned[of_train["example"]])
    for group, label in (("permuted", "assigned"), ("restored", "true"), ("test", "true")):
        own = table[(table["epoch"] == 0) & (table["layer"] == "linear5") & (table["group"] == group)]
        assert (own[label].value_counts() == 6).all()
    # An example has one place, whatever group it stands in.
    assert (of_train.groupby(["epoch", "layer", "example"])[["x", "y"]].nunique() == 1).all(axis=None)
    assert len(embedded[0]) < 4 * 60
    drawn = figures.draw(read_study(copied), ["fig2b", "figa2"])
    assert [path.stat().st_size > 0 for path in drawn] == [True, True]


def test_it_goes_on_where_it_was_interrupted(copied, embedded, monkeypatch):
    umap.run(copied, CONFIG)
    whole = (Run(copied).results / "umap.csv").read_bytes()
    (Run(copied).results / "umap.csv").unlink()
    del embedded[:]
    embed = umap.embed

    def failing(points, **options):
        if len(embedded) == 4:
            raise KeyboardInterrupt
        return embed(points, **options)

    with monkeypatch.context() as patch:
        patch.setattr(umap, "embed", failing)
        with pytest.raises(KeyboardInterrupt):
            umap.run(copied, CONFIG)
    umap.run(copied, CONFIG)
    assert (Run(copied).results / "umap.csv").read_bytes() == whole
    assert len(embedded) == 6


def test_the_layers_are_the_papers():
    names = {model: [layer.name for layer in umap.choose_layers(model)] for model in ("vgg16", "mlp", "resnet18")}
    assert names["vgg16"] == ["conv15", "linear20"]
    assert names["mlp"] == ["linear3", "linear5"]
    assert names["resnet18"][0].startswith("conv")


def test_without_the_table_the_command_is_named(smoke_run):
    reason = missing(FIGURES["fig2b"], read_study(smoke_run)._replace(tables={}))
    assert reason == f"no table umap; make it with: python -m experiments.umap --workdir={smoke_run}"


@pytest.mark.slow
def test_umap_learn_draws_a_run(copied):
    pytest.importorskip("umap")
    umap.run(copied, CONFIG)
    first = table_of(copied)
    assert np.isfinite(first[["x", "y"]]).all(axis=None)
    umap.run(copied, CONFIG)
    assert table_of(copied).equals(first)
