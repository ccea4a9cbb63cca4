import dataclasses

import numpy as np
import pandas as pd
import pytest
from experiments.grid import combinations, plan

from memorize_jax import models
from memorize_jax.config import RunConfig
from memorize_jax.runs.folder import Run
from memorize_jax.runs.noted import write_config
from memorize_jax.runs.seeds import seed_folder
from memorize_jax.storage.tables import METRICS
from memorize_jax.studies.study import command, read_study, three_layers
from tests.figures import invented


def made_up_run(workdir, config, geometry=True):
    """A run folder with tables of made-up numbers."""
    run = Run(workdir)
    write_config(run, config)
    invented.metrics((config.seed,))[list(METRICS)].to_csv(run.metrics, index=False)
    if geometry:
        run.results.mkdir()
        invented.geometry(config.model, (config.seed,)).to_csv(run.results / "geometry.csv", index=False)
    return workdir


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ensemble")
    for seed in (0, 3):
        made_up_run(seed_folder(folder, seed), RunConfig(seed=seed), geometry=seed == 0)
    return folder


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Two fractions and two networks, two seeds each, seed 1 unfinished; one combination was not begun."""
    folder = tmp_path_factory.mktemp("sweep")
    wanted = plan("smoke", {}, {"permuted_fraction": [0.0, 0.5], "model": ["mlp", "masc_mlp"]}, "0-1")
    runs = combinations(wanted)
    for one in runs[:-1]:
        for seed in wanted.seeds:
            made_up_run(
                seed_folder(folder / one.name, seed),
                dataclasses.replace(one.config, seed=seed, epochs=2 + 98 * seed, stop_accuracy=1.0),
            )
    write_runs(folder, wanted, lambda run: False)
    return folder, [one.name for one in runs]


def test_a_run_has_the_tables_that_were_made(tmp_path):
    study = read_study(made_up_run(tmp_path / "run", RunConfig(seed=2)))
    assert (study.kind, study.model, study.seeds, study.varies) == ("run", "mlp", (2,), ())
    assert set(study.tables) == {"metrics", "geometry"}
    assert study.layers[-1] == "linear6"
    assert study.epochs_of("best") == {2: 4}
    assert set(study.at_stage("geometry", "final")["epoch"]) == {18}


@pytest.mark.parametrize(
    ("options", "unfinished"),
    [({"epochs": 20}, (("", 3),)), ({"epochs": 19}, ()), ({"epochs": 20, "stop_accuracy": 0.05}, ())],
)
def test_a_run_that_was_interrupted_is_known(tmp_path, options, unfinished):
    """Its last epoch is 19."""
    config = RunConfig(**{"seed": 3, "stop_accuracy": 1.0, **options})
    assert read_study(made_up_run(tmp_path / "run", config)).unfinished == unfinished


def test_an_ensemble_has_a_table_only_if_all_seeds_have_it(ensemble):
    study = read_study(ensemble)
    assert (study.kind, study.seeds) == ("ensemble", (0, 3))
    assert set(study.tables) == {"metrics"}
    assert study.epochs_of("final") == {0: 16, 3: 19}


def test_a_sweep_says_what_every_row_is_of(swept):
    folder, names = swept
    study = read_study(folder)
    assert (study.kind, study.varies, study.seeds) == ("sweep", ("permuted_fraction", "model"), (0, 1))
    assert study.model == "mlp, masc_mlp"
    assert np.isnan(study.permuted_fraction)
    assert study.layers == ()
    assert study.unfinished == tuple((name, 1) for name in names[:3])
    for table in study.tables.values():
        found = table[["run", "model", "permuted_fraction"]].drop_duplicates().to_numpy().tolist()
        assert found == [[names[0], "mlp", 0.0], [names[1], "masc_mlp", 0.0], [names[2], "mlp", 0.5]]
        assert set(table["dataset"]) == {"digits"}


def test_one_run_of_a_sweep_is_an_ensemble(swept):
    folder, names = swept
    assert read_study(folder / names[0]).kind == "ensemble"


def test_a_sweep_that_was_not_begun_says_how_to_go_on(tmp_path):
    row = {"run": "abc", "permuted_fraction": 0.5, "seeds": 1, "state": "missing"}
    pd.DataFrame([row]).to_csv(tmp_path / "runs.csv", index=False)
    with pytest.raises(
        FileNotFoundError, match=f"no run of the sweep in {tmp_path} was trained; go on with: python -m"
    ):
        read_study(tmp_path)


def test_networks_of_growing_width_are_a_table(tmp_path):
    run = Run(tmp_path)
    run.results.mkdir()
    invented.descent((0, 1)).tables["double_descent"].to_csv(run.results / "double_descent.csv", index=False)
    study = read_study(tmp_path)
    assert (study.kind, study.seeds, study.model) == ("double_descent", (0, 1), "")
    write_config(Run(seed_folder(tmp_path / "width_2", 1)), RunConfig(width=2, permuted_fraction=0.1))
    study = read_study(tmp_path)
    assert (study.model, study.permuted_fraction, study.varies) == ("mlp", 0.1, ("width",))


def test_a_folder_without_any_of_them_says_how_to_make_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train one with: python -m experiments\.train --workdir="):
        read_study(tmp_path)


def test_the_command_of_a_table():
    assert command("decoding_choice", "runs/a") == "python -m experiments.decoding --workdir=runs/a"


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("mlp", ("linear1", "linear3", "linear5")),
        ("alexnet", ("conv1", "conv5", "conv7")),
        ("vgg16", ("conv1", "conv9", "linear20")),
        ("resnet18", ("conv1", "conv10", "conv20")),
    ],
)
def test_the_three_layers_of_a_network_are_hidden_and_the_middle_one_a_convolution(model, expected):
    found = three_layers(models.layer_names(model))
    assert found == dict(zip(("first", "middle", "last"), expected, strict=True))


def test_a_network_of_one_layer_has_no_other_to_compare():
    assert set(three_layers(("output",)).values()) == {"output"}
