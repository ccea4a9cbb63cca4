import dataclasses
import re
import shutil

import pandas as pd
import pytest

from memorize_jax import data
from memorize_jax.commands import execute, planned, reproduce
from memorize_jax.commands.planned import Planned, about, plan_measurement
from memorize_jax.measurements import costs
from memorize_jax.measurements.driver import is_measured, noted_settings
from memorize_jax.measurements.registry import get_measurement, measurements
from memorize_jax.presets import PRESETS
from memorize_jax.report.catalog import select
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.metrics import write_metrics
from memorize_jax.runs.noted import read_noted
from memorize_jax.runs.notes import note_tables
from tests.commands import NOTE, python
from tests.experiments.made_up import made_up_run

SMOKE = PRESETS["smoke"]
DESCENT = PRESETS["double_descent_small"]
# The settings of the fixture `smoke_run`.
MADE_WITH = SMOKE.replace("geometry", geometry_epochs="0,final")
OF_ONE_NETWORK = [one for one in measurements().values() if one.measures and not one.axes]
# Done by the fixture, or not for such data, or not without umap-learn.
LEFT_ALONE = dict.fromkeys(("examples", "capacity_check", "umap", "per_example", "spheres"), False)
LEFT_ALONE |= dict.fromkeys(("collapse", "few_shot", "similarity"), False)


@pytest.fixture
def copy(smoke_run, tmp_path):
    return shutil.copytree(smoke_run, tmp_path / "run")


@pytest.fixture
def done(monkeypatch):
    """What was trained and measured, none of which really is."""
    names = []
    monkeypatch.setattr(execute, "measure", lambda measurement, *_, **options: names.append(measurement.name))
    monkeypatch.setattr(execute, "train_run", lambda *_: names.append("train"))
    return names


def plan(capsys):
    """Name of a step -> whether it is said to run."""
    lines = re.findall(r"^  (\w+) +(.*): (runs|left as it is)", capsys.readouterr().out, flags=re.MULTILINE)
    return {name: then == "runs" for name, _, then in lines}


# --- what is there, and what is to be done


def test_nothing_is_done_twice(copy, done, capsys, monkeypatch):
    monkeypatch.setattr(reproduce.report, "run_all", lambda workdir, picture: (RunFolder(workdir).report, []))
    before = {path: path.stat().st_mtime_ns for path in (copy / "results").glob("*.csv")}
    reproduce.run(copy, MADE_WITH)
    said = capsys.readouterr().out
    assert done == []
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "claims: 0 hold, 0 do not, 0 are undecided, 0 cannot be tested here" in said
    assert f"report: {copy / 'report.html'}" in said


@pytest.mark.parametrize("kind", ["epochs", "resume"])
def test_a_run_without_its_last_network_or_state_is_trained_to_its_end(copy, done, capsys, kind):
    """Killed between the last row of metrics.csv and what it stands for; a run without any was rid of them by hand."""
    stored = copy / "checkpoints" / kind
    for removed, runs in ((stored / "4", True), (stored, False)):
        shutil.rmtree(removed)
        reproduce.run(copy, MADE_WITH, dry_run=True)
        assert plan(capsys)["train"] == runs


def test_a_dry_run_only_tells(copy, done, capsys):
    (copy / "results" / "rewinding.csv").unlink()
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    reproduce.run(copy, MADE_WITH.replace("gradients", gradient_epochs="final"), dry_run=True)
    expected = {"train": False, "geometry": False, "decoding": False, "rewinding": True, "gradients": True}
    assert plan(capsys) == {**expected, **LEFT_ALONE}
    assert done == []
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


def test_a_table_that_was_changed_is_made_again(copy, done, monkeypatch):
    monkeypatch.setattr(reproduce, "_finish", lambda *_: None)
    path = copy / "results" / "geometry.csv"
    path.write_text(path.read_text().replace("permuted", "Permuted", 1))
    reproduce.run(copy, MADE_WITH)
    assert done == ["geometry"]


def test_when_training_is_resumed_all_is_measured_anew(copy, done, capsys):
    reproduce.run(copy, dataclasses.replace(MADE_WITH, run=dataclasses.replace(SMOKE.run, epochs=5)), dry_run=True)
    # No spheres are in these data, and umap-learn need not be installed.
    assert {name for name, runs in plan(capsys).items() if not runs} <= {"umap", "spheres"}


@pytest.mark.parametrize(
    ("changes", "asked", "runs"),
    [
        ({"keep": "best,last"}, ["keep"], True),
        ({"keep_dtype": "bfloat16"}, ["keep", "keep_dtype"], True),
        # Only the preset says so, or so it is already.
        ({"keep": "best,last"}, [], False),
        ({}, ["keep", "keep_dtype"], False),
    ],
)
def test_a_finished_run_whose_networks_are_to_be_kept_otherwise_is_not_left_alone(
    copy, done, capsys, monkeypatch, changes, asked, runs
):
    """What was measured stays valid."""
    monkeypatch.setattr(reproduce, "_finish", lambda *_: None)
    reproduce.run(copy, MADE_WITH.with_run(**changes), asked=asked)
    assert {name: runs for name, runs in plan(capsys).items() if runs} == ({"train": True} if runs else {})
    assert done == (["train"] if runs else [])


def test_new_runs_are_trained_and_then_measured_one_by_one(tmp_path, done, capsys, monkeypatch):
    monkeypatch.setattr(execute, "is_measured", lambda *_: False)
    monkeypatch.setattr(reproduce, "_finish", lambda *_: None)
    reproduce.run(tmp_path / "new", SMOKE, figures=select("fig3b,fig4b"))
    assert done == ["train", "geometry", "rewinding"]
    assert capsys.readouterr().out.endswith("train\n[1/2] geometry\n[2/2] rewinding\n")


@pytest.mark.parametrize(
    ("figure", "needed"),
    [("fig2a", []), ("fig4", ["rewinding"]), ("fig5f", ["gradients"]), ("fig3b,fig4b", ["geometry", "rewinding"])],
)
def test_a_figure_needs_only_its_tables(tmp_path, done, capsys, figure, needed):
    reproduce.run(tmp_path / "new", SMOKE, figures=reproduce.choose_figures(figure, SMOKE), dry_run=True)
    assert list(plan(capsys)) == ["train", *needed]


def test_a_figure_is_drawn_and_nothing_else(copy, done, capsys):
    shutil.rmtree(copy / "figures")
    reproduce.run(copy, MADE_WITH, figures=select("fig2a"))
    assert [path.name for path in (copy / "figures").iterdir()] == ["fig2a.svg"]
    assert done == []
    assert f"drawn: {copy / 'figures' / 'fig2a.svg'}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("preset", "chosen", "left_out", "refused"),
    [
        (DESCENT, ["fig4c", "fig4d", "fig4e"], "fig4a, fig4b", "is drawn from one network; give a preset without"),
        (SMOKE, ["fig4a", "fig4b"], "fig4c, fig4d, fig4e", "needs networks of several widths; make them with: python"),
    ],
)
def test_figures_of_other_networks_are_left_out_or_refused(capsys, preset, chosen, left_out, refused):
    assert [figure.name for figure in reproduce.choose_figures("fig4", preset)] == chosen
    assert capsys.readouterr().out.startswith(f"not drawn: {left_out}: {refused}")
    with pytest.raises(ValueError, match=f"{left_out} cannot be drawn: {refused}"):
        reproduce.choose_figures(left_out.replace(" ", ""), preset)


NO_UMAP = "needs no_umap: pip install it"


@pytest.mark.parametrize(
    ("names", "changes", "reason"),
    [
        ("figa3", {}, "figa3 cannot be drawn: its data set is digits, not spheres"),
        ("fig2b", {}, f"fig2b cannot be drawn: {NO_UMAP}"),
        ("figa3,fig2b", {}, f"fig2b cannot be drawn: {NO_UMAP}; figa3 cannot be drawn: its data set"),
        ("map_capacity", {"keep": "best,last"}, "map_capacity cannot be drawn: needs the networks of 3 epochs"),
    ],
)
def test_a_figure_that_cannot_be_is_refused_before_training(tmp_path, done, monkeypatch, names, changes, reason):
    blocked = dataclasses.replace(get_measurement("umap"), package=("no_umap", "pip install it"))
    monkeypatch.setitem(measurements(), "umap", blocked)
    for dry_run in (True, False):
        with pytest.raises(ValueError, match=re.escape(reason)):
            reproduce.run(tmp_path / "new", SMOKE.with_run(**changes), figures=select(names), dry_run=dry_run)
    assert done == []
    assert not list(tmp_path.iterdir())
    # As a step of a whole study it is left out, with its reason.
    planned = plan_measurement(blocked, [RunFolder(tmp_path)], SMOKE, None, None, trained=True)
    assert planned == Planned("umap", NO_UMAP, False)


def test_one_figure_that_cannot_be_does_not_stop_others_and_is_drawn_from_a_table_made_elsewhere(copy, done, capsys):
    reproduce.run(copy.parent / "new", SMOKE, figures=select("figa3,fig5f"), dry_run=True)
    said = capsys.readouterr().out
    assert said.startswith("not drawn: figa3: its data set is digits")
    assert "gradients" in said
    assert "spheres  " not in said
    (copy / "results" / "spheres.csv").write_text("made elsewhere")
    reproduce.run(copy, MADE_WITH, figures=select("figa3"), dry_run=True)
    assert "not drawn" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "measured"),
    [
        ("best,final", "log,best,final"),
        ("3", "log,3"),
        ("log", "log"),
        ("log:8,final", "log:8,final"),
        ("all", "all"),
        ("0, 2,final", "0, 2,final"),
    ],
)
def test_a_map_of_capacity_has_enough_epochs(tmp_path, given, measured):
    chosen = SMOKE.replace("geometry", geometry_epochs=given)
    found = reproduce._with_epochs_of(select("fig3,map_capacity"), chosen, [RunFolder(tmp_path)])
    assert found.of("geometry").geometry_epochs == measured
    assert reproduce._with_epochs_of(select("fig3"), chosen, [RunFolder(tmp_path)]) == chosen


def noted(folder, name, settings):
    """Notes that the tables of a measurement, as they are, were made with these settings."""
    run, tables = RunFolder(folder), tuple(get_measurement(name).tables)
    note_tables(run, name, tables, settings=settings, **{**NOTE, "identity": read_noted(run).identity})


def test_the_epochs_of_a_map_are_not_taken_away_again(copy, done, capsys):
    more = SMOKE.replace("geometry", geometry_epochs="log,best,final").of_all(get_measurement("geometry"))
    noted(copy, "geometry", noted_settings(more))
    reproduce.run(copy, SMOKE, dry_run=True)
    assert plan(capsys)["geometry"] is False


def test_a_table_with_gaps_of_another_network_or_with_a_damaged_note_is_another_table(copy):
    run, one = RunFolder(copy), get_measurement("gradients")
    settings = MADE_WITH.of_all(one)
    noted(copy, "gradients", noted_settings(settings, skip_damaged=True))
    assert not is_measured(one, run, settings)
    noted(copy, "gradients", noted_settings(settings))
    assert is_measured(one, run, settings)
    metrics = run.metrics.read_text()
    run.metrics.write_text("another network\n")
    assert not is_measured(one, run, settings)
    run.metrics.write_text(metrics)
    (run.results / "made.json").write_text('{"geometry": ')
    assert not is_measured(one, run, settings)


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        ("rewinding", {"rewind_layers": "nope"}, "expected rewind_layers among linear1, .*, got 'nope'"),
        *(
            (one.name, {field.name: "0, 9"}, f"expected {field.name} of at most 4, the last epoch of the run, got 9")
            for one in OF_ONE_NETWORK
            for field in (dataclasses.fields(one.settings) if one.settings else ())
            if field.name.endswith("_epochs") and one.name != "umap" and not one.on_request
        ),
    ],
)
def test_settings_that_no_network_has_are_refused_before_training(tmp_path, done, part, changes, message):
    with pytest.raises(ValueError, match=message):
        reproduce.run(tmp_path / "new", SMOKE.replace(part, **changes))
    assert done == []
    assert not list(tmp_path.iterdir())


def test_epochs_of_a_finished_run_are_those_it_has(copy, done):
    table = pd.read_csv(copy / "metrics.csv")[:4]
    table.loc[3, "train_accuracy"] = 1.0
    write_metrics(copy, table.to_dict("records"), read_noted(RunFolder(copy)).identity)
    with pytest.raises(ValueError, match="expected gradient_epochs of at most 3, the last epoch of the run, got 4"):
        reproduce.run(copy, SMOKE.replace("gradients", gradient_epochs="4"), dry_run=True)


@pytest.mark.parametrize("preset", [SMOKE, DESCENT], ids=["network", "widths"])
@pytest.mark.parametrize("seeds", [None, "0-1"])
def test_nothing_is_made_in_a_sweep(tmp_path, done, seeds, preset):
    (tmp_path / "runs.csv").write_text("run,width,seeds,state\n3c313439d15b,2,1,complete\n")
    for dry_run in (True, False):
        with pytest.raises(ValueError, match=f"{tmp_path} holds a sweep; give one of its runs"):
            reproduce.run(tmp_path, preset, seeds, dry_run=dry_run)
    assert [path.name for path in tmp_path.iterdir()] == ["runs.csv"]


def test_an_ensemble_is_not_taken_for_a_run_and_widths_are_planned_as_one_step(tmp_path, capsys):
    made_up_run(tmp_path / "ensemble" / "seed_3", seed=3)
    with pytest.raises(ValueError, match=r"holds an ensemble; .*--seeds=3"):
        reproduce.run(tmp_path / "ensemble", SMOKE)
    small = dataclasses.replace(SMOKE, widths="2,4")
    made_up_run(tmp_path / "width_2" / "seed_0", width=2, learning_rate=SMOKE.run.learning_rate)
    reproduce.run(tmp_path, small, "0", dry_run=True)
    assert "double_descent  1 of 2 widths begun, 0 complete: runs" in capsys.readouterr().out
    assert not (tmp_path / "runs.csv").exists()


@pytest.mark.slow
def test_an_ensemble_from_one_command(tmp_path):
    # A small network of our own compiles sooner.
    own = ("--dataset=tests.measurements.tiny:load", "--model=tests.measurements.tiny:NETWORK")
    measured = ("--geometry_epochs=final", "--capacity_epochs=final", "--joint_draws=10", "--examples_per_class=6")
    flags = ("--preset=smoke", *own, *measured, "--seeds=1-2", f"--workdir={tmp_path}")
    done = python("-m", "experiments.reproduce", *flags)
    assert done.returncode == 0, done.stderr
    assert f"report: {tmp_path / 'report.html'}" in done.stdout
    for table in ("geometry", "decoding", "rewinding", "gradients"):
        assert set(pd.read_csv(tmp_path / "results" / f"{table}.csv")["seed"]) == {1, 2}
    again = python("-m", "experiments.reproduce", *flags, "--dry_run")
    assert again.stdout.count("left as it is") == 1 + sum(not one.on_request for one in OF_ONE_NETWORK)
    assert again.stdout.count("only on request") == sum(one.on_request for one in OF_ONE_NETWORK)


# --- estimates


def test_the_operations_of_an_mlp_are_counted_unless_a_run_tells_its_own_speed(tmp_path):
    splits = data.load("digits")
    configs = [dataclasses.replace(SMOKE.run, width=width) for width in (64, 1024)]
    fast, wide = (costs.measure_work(config, splits, RunFolder(tmp_path)) for config in configs)
    assert 0 < fast.forward_seconds < wide.forward_seconds < 60
    assert (fast.num_classes, fast.num_layers) == (10, 6)
    run = RunFolder(made_up_run(tmp_path / "run"))
    pd.read_csv(run.metrics).assign(seconds=[50.0, 20.0, 3.0]).to_csv(run.metrics, index=False)
    assert costs.measure_work(SMOKE.run, splits, run).epoch_seconds == 3.0


WORK = costs.Workload(0.1, 0.4, 100, 10, 6, 10**7, 1000, 10**6, (784, *[256] * 6), 1024)


def test_more_of_everything_takes_longer_and_more_memory():
    longer = WORK._replace(forward_seconds=0.2, epochs=1000, num_layers=12)
    larger = WORK._replace(data_bytes=10**9, num_examples=10**5, num_parameters=10**8, widths=(784, *[65536] * 6))
    for one in OF_ONE_NETWORK:
        few, slow, big = (one.cost(work, *SMOKE.of_all(one)) for work in (WORK, longer, larger))
        # Those two read no network.
        assert 0 < few[0] < slow[0] or one.name in ("examples", "spheres"), one.name
        assert few[1] is None or 0 < few[1] < big[1], one.name
    assert 0 < costs.reading(WORK) < costs.reading(larger)
    geometry = get_measurement("geometry")
    _, size = geometry.cost(larger, *SMOKE.replace("geometry", joint_draws=0).of_all(geometry))
    points = 4 * sum(larger.widths) * 10 * SMOKE.of("geometry").examples_per_class
    # Themselves and one copy, and little else.
    assert 2 * points < size - 8 * larger.num_parameters - costs.SOLVER_BYTES < 2.1 * points
    # Parameters, their gradients and two moments are the least that Adam holds.
    assert costs.training(larger)[1] > 16 * larger.num_parameters + larger.data_bytes


def test_what_cannot_fit_into_memory_is_refused_before_training(tmp_path, done, capsys):
    chosen = SMOKE.replace("geometry", num_draws=10**9)
    refusal = r"geometry with these settings would take [\d.e+]+ [GT]B of memory, .* available; lower --num_draws"
    for dry_run in (True, False):
        with pytest.raises(ValueError, match=refusal):
            reproduce.run(tmp_path / "run", chosen, dry_run=dry_run)
        assert re.search(r"geometry +nothing yet: runs, about .*, peak [\d.]+ TB\n", capsys.readouterr().out)
    assert done == []


def test_a_second_process_is_for_many_short_measurements_on_a_processor_with_memory_for_two(monkeypatch):
    monkeypatch.setattr(planned, "num_cores", lambda: 2)
    monkeypatch.setattr(planned, "available_bytes", lambda: 10e9)
    steps = [Planned("geometry", "", True, seconds=50, bytes=2e9)] * 3
    assert planned.needs_second(steps)
    assert not planned.needs_second(steps[:1])
    assert not planned.needs_second(steps * 20)
    assert not planned.needs_second([one._replace(todo=False) for one in steps])
    assert not planned.needs_second([one._replace(bytes=3e9) for one in steps])
    monkeypatch.setattr(planned, "num_cores", lambda: 1)
    assert not planned.needs_second(steps)


def test_durations_in_words():
    words = {0.2: "1 s", 75: "75 s", 150: "2 minutes", 9000: "2 hours", 200_000: "2 days"}
    assert {seconds: about(seconds).removeprefix("about ") for seconds in words} == words
    assert about(None) == "for a time that is not known"
