import numpy as np
import pandas as pd
import pytest

from memorize_jax import models
from memorize_jax.commands import report
from memorize_jax.config import RunConfig
from memorize_jax.measurements.registry import open_study, tables
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.noted import Noted, write_config
from memorize_jax.runs.notes import note_tables
from memorize_jax.runs.seeds import seed_folder
from memorize_jax.storage.tables import METRICS, write_table
from memorize_jax.studies.index import write_runs
from memorize_jax.studies.plan import make_plan
from memorize_jax.studies.study import three_layers
from tests.commands import NOTE
from tests.figures import invented


def made_up_run(workdir, config, geometry=True):
    """A run folder with tables of made-up numbers."""
    run = RunFolder(workdir)
    write_config(run, config)
    invented.metrics((config.seed,))[list(METRICS)].to_csv(run.metrics, index=False)
    if geometry:
        run.results.mkdir()
        invented.geometry(config.model, (config.seed,)).to_csv(run.results / "geometry.csv", index=False)
    return workdir


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Two fractions and two networks, two seeds each, seed 0 unfinished; one combination was not begun."""
    folder = tmp_path_factory.mktemp("sweep")
    axes = {"permuted_fraction": [0.0, 0.5], "model": ["mlp", "masc_mlp"]}
    plan = make_plan(RunConfig(epochs=17, stop_accuracy=1.0), axes, "0-1")
    for one in plan.runs()[:-1]:
        for member, config in plan.folders(folder, one).items():
            made_up_run(member.workdir, config)
    write_runs(folder, plan, lambda run: False)
    return folder, [one.name for one in plan.runs()]


def test_a_run_has_the_tables_that_were_made(tmp_path):
    study = open_study(made_up_run(tmp_path / "run", RunConfig(seed=2)))
    assert (study.model, study.seeds, study.axes) == ("mlp", (2,), ())
    assert set(study.tables) == {"metrics", "geometry"}
    assert study.layers[-1] == "linear6"
    assert study.epochs_of("best") == {2: 4}
    assert set(study.at_stage("geometry", "final")["epoch"]) == {18}
    assert study.command("decoding_choice") == f"python -m experiments.decoding --workdir={tmp_path}/run"
    assert repr(study).endswith("run': mlp on digits, seeds 2; tables metrics, geometry)")


@pytest.mark.parametrize(
    ("options", "unfinished"),
    [({"epochs": 20}, (("", 3),)), ({"epochs": 19}, ()), ({"epochs": 20, "stop_accuracy": 0.05}, ())],
)
def test_a_run_that_was_interrupted_is_known(tmp_path, options, unfinished):
    """Its last epoch is 19."""
    config = RunConfig(**{"seed": 3, "stop_accuracy": 1.0, **options})
    assert open_study(made_up_run(tmp_path / "run", config)).unfinished == unfinished


@pytest.mark.parametrize(
    ("table", "measured"),
    [("examples", {"width": [4, 16], "width_value": [8, 8]}), ("double_descent", {"width": [4, 16]})],
)
def test_a_sweep_over_widths_keeps_those_of_images(tmp_path, table, measured):
    """Images are 8 pixels wide, networks 4 and 16 units; the table of double descent has the width of the network."""
    plan = make_plan(RunConfig(epochs=16), {"width": [4, 16]})
    about = tables()[table][0]
    for one in plan.runs():
        run = RunFolder(made_up_run(tmp_path / one.name, one.config, geometry=False))
        row = {name: "best" if name in about.text else 0 for name in about.columns}
        width = 8 if table == "examples" else one.config.width
        write_table(run.results / f"{table}.csv", [{**row, "width": width}], about.columns)
    write_runs(tmp_path, plan, lambda run: False)
    found = open_study(tmp_path).tables[table]
    assert {name: found[name].tolist() for name in found if name.startswith("width")} == measured


def test_a_sweep_over_losses_keeps_the_measured_loss(tmp_path):
    plan = make_plan(RunConfig(epochs=16), {"loss": ["cross_entropy", "mse"]})
    for one in plan.runs():
        made_up_run(tmp_path / one.name, one.config, geometry=False)
    write_runs(tmp_path, plan, lambda run: False)
    study = open_study(tmp_path)
    assert study.axes == ("loss",)
    assert study.tables["metrics"].groupby("loss", sort=False)["loss_value"].mean().to_dict() == {
        "cross_entropy": 1.0,
        "mse": 1.0,
    }


def test_an_ensemble_has_a_table_only_if_all_seeds_have_it(tmp_path):
    for seed in (0, 3):
        made_up_run(seed_folder(tmp_path, seed), RunConfig(seed=seed), geometry=seed == 0)
    study = open_study(tmp_path)
    assert (study.seeds, study.axes) == ((0, 3), ())
    assert set(study.tables) == {"metrics"}
    assert study.epochs_of("final") == {0: 16, 3: 19}


def test_a_sweep_says_what_every_row_is_of(swept):
    folder, names = swept
    study = open_study(folder)
    assert (study.axes, study.seeds) == (("permuted_fraction", "model"), (0, 1))
    assert study.model == "mlp, masc_mlp"
    assert np.isnan(study.permuted_fraction)
    assert study.layers == ()
    assert study.unfinished == tuple((name, 0) for name in names[:3])
    for table in study.tables.values():
        found = table[["run", "model", "permuted_fraction"]].drop_duplicates().to_numpy().tolist()
        assert found == [[names[0], "mlp", 0.0], [names[1], "masc_mlp", 0.0], [names[2], "mlp", 0.5]]
        assert set(table["dataset"]) == {"digits"}
    # What is comparable is known by the notes of each run, here of none.
    assert (study.settings, study.not_comparable("geometry", names)) == ({"metrics": {}, "geometry": {}}, "")
    # One of its runs is a study of two seeds.
    one = open_study(folder / names[0])
    assert (one.axes, one.seeds) == ((), (0, 1))


def test_settings_of_a_sweep_are_read_and_those_that_differ_are_named(tmp_path):
    plan = make_plan(RunConfig(epochs=16), {"permuted_fraction": [0.0, 0.5, 1.0]}, "0-1")
    for kappa, one in enumerate(plan.runs()):
        for member, config in plan.folders(tmp_path, one).items():
            made_up_run(member.workdir, config)
            # Which epochs were measured may differ.
            settings = {"kappa": kappa // 2, "geometry_epochs": kappa}
            note_tables(member, "geometry", ("geometry",), settings=settings, **NOTE)
    write_runs(tmp_path, plan, lambda run: False)
    study = open_study(tmp_path)
    first, second, third = (one.name for one in plan.runs())
    assert {run: own["kappa"] for run, own in study.settings["geometry"].items()} == {first: 0, second: 0, third: 1}
    assert study.not_comparable("geometry", [first, second]) == ""
    message = f"geometry of run {third} was measured with other settings than that of run {first}: kappa=1 (there: 0)"
    assert study.not_comparable("geometry", [first, second, third, "of no note"]).startswith(message)


TRAIN, MORE, MEASURE = (f"python -m experiments.{rest}" for rest in ("train --epochs=3", "train", "geometry --kappa=0"))


@pytest.mark.parametrize(
    ("trained", "measured", "lines"),
    [
        ([TRAIN, MORE], [MEASURE, MEASURE], [TRAIN, MORE, MEASURE, "python -m experiments.report --workdir='{}'"]),
        (["python -m experiments.reproduce"], ["python -m experiments.reproduce"], ["python -m experiments.reproduce"]),
        (["memorize reproduce"], ["memorize reproduce"], ["memorize reproduce"]),
        # Nothing is invented where nothing was noted.
        ([], [], []),
    ],
)
def test_the_lines_that_made_a_study_come_back_in_order_and_once(tmp_path, trained, measured, lines):
    for seed in (0, 1):
        folder = RunFolder(seed_folder(tmp_path / "my run", seed))
        made_up_run(folder.workdir, config := RunConfig(seed=seed))
        write_config(folder, config, Noted(config, commands=trained))
        for step, line in zip(("geometry", "decoding"), measured, strict=False):
            tables = ("geometry",) if step == "geometry" else ()
            note_tables(folder, step, tables, settings={}, **{**NOTE, "command": line})
    assert report.commands(open_study(tmp_path / "my run")) == [line.format(tmp_path / "my run") for line in lines]


@pytest.mark.parametrize("text", ["[]", "{", "", '{"geometry": 3}', '{"geometry": {"tables": {}}}'])
def test_a_damaged_note_is_an_error_by_name(tmp_path, text):
    (RunFolder(made_up_run(tmp_path / "run", RunConfig())).results / "made.json").write_text(text)
    with pytest.raises(ValueError, match=r"made\.json is damaged"):
        open_study(tmp_path / "run")


@pytest.mark.parametrize(("name", "command"), [("abc", "sweep"), ("width_2", "double_descent")])
def test_a_folder_without_runs_says_how_to_make_one_and_a_sweep_that_was_not_begun_how_to_resume_it(
    tmp_path, name, command
):
    with pytest.raises(FileNotFoundError, match=r"train one with: python -m experiments\.train --workdir="):
        open_study(tmp_path)
    (tmp_path / name).mkdir()
    row = {"run": name, "width": 2, "seeds": 1, "state": "missing"}
    pd.DataFrame([row]).to_csv(tmp_path / "runs.csv", index=False)
    message = f"no run of the sweep in {tmp_path} was trained; resume it with: python -m experiments.{command} "
    with pytest.raises(FileNotFoundError, match=message):
        open_study(tmp_path)


def test_a_table_of_widths_is_read_with_and_without_its_runs(tmp_path):
    run = RunFolder(tmp_path)
    run.results.mkdir()
    invented.descent((0, 1)).tables["double_descent"].to_csv(run.results / "double_descent.csv", index=False)
    study = open_study(tmp_path)
    assert (study.axes, study.seeds, study.model) == (("width",), (0, 1), "")
    made_up_run(seed_folder(tmp_path / "width_2", 1), RunConfig(width=2, permuted_fraction=0.1, seed=1))
    study = open_study(tmp_path)
    assert (study.model, study.permuted_fraction, study.axes) == ("mlp", 0.1, ("width",))


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (models.layer_names("mlp"), ("linear1", "linear3", "linear5")),
        (models.layer_names("alexnet"), ("conv1", "conv5", "conv7")),
        (models.layer_names("vgg16"), ("conv1", "conv9", "linear20")),
        (models.layer_names("resnet18"), ("conv1", "conv10", "conv20")),
        # Blocks may hold convolutions, so that names do not tell the middle one.
        (("conv1", "block1", "block2", "block3", "output"), ("conv1", "block2", "block3")),
        (
            ("features/Conv_0", "features/Conv_1", "Dense_0", "Dense_1"),
            ("features/Conv_0", "features/Conv_1", "Dense_0"),
        ),
        # A network of one layer has no other to compare.
        (("output",), ("output", "output", "output")),
    ],
)
def test_the_three_layers_of_a_network_are_hidden_and_the_middle_one_a_convolution(layers, expected):
    assert three_layers(layers) == dict(zip(("first", "middle", "last"), expected, strict=True))
