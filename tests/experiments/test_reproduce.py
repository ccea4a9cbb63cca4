import dataclasses
import re
import shutil

import pandas as pd
import pytest
from experiments.estimate import PROGRAM_BYTES, SOLVER_BYTES, Work, about, bytes_of, measure_work, seconds_of

from experiments import presets, record, reproduce, steps
from memorize_jax import data
from memorize_jax.figures import select
from memorize_jax.runs.folder import Run
from memorize_jax.runs.metrics import write_metrics
from memorize_jax.runs.noted import read_noted
from tests.commands import python
from tests.experiments.made_up import made_up_run

SMOKE = presets.PRESETS["smoke"]
# The settings of the fixture `smoke_run`.
MADE_WITH = dataclasses.replace(SMOKE, geometry=dataclasses.replace(SMOKE.geometry, geometry_epochs="0,final"))

# Done by the fixture, or not for such data, or not without umap-learn.
LEFT_ALONE = dict.fromkeys(("examples", "capacity_check", "umap", "spheres"), False)


@pytest.fixture
def copy(smoke_run, tmp_path):
    return shutil.copytree(smoke_run, tmp_path / "run")


@pytest.fixture
def done(monkeypatch):
    """The names of the steps that were done, none of which really is."""
    names = []

    def noting(step):
        return step._replace(run=lambda *arguments: names.append(step.name))

    monkeypatch.setattr(reproduce, "STEPS", [noting(step) for step in steps.STEPS])
    monkeypatch.setattr(steps, "STEPS", reproduce.STEPS)
    monkeypatch.setattr(reproduce, "train_run", lambda *arguments: names.append("train"))
    return names


def plan(capsys):
    """Name of a step -> whether it is said to run."""
    lines = re.findall(r"^  (\w+) +(.*): (runs|left as it is)", capsys.readouterr().out, flags=re.MULTILINE)
    return {name: then == "runs" for name, _, then in lines}


# --- what is there, and what is to be done


def test_nothing_is_done_twice(copy, done, capsys, monkeypatch):
    monkeypatch.setattr(reproduce.report, "run_all", lambda workdir: Run(workdir).report)
    before = {path: path.stat().st_mtime_ns for path in (copy / "results").glob("*.csv") if path.stem != "claims"}
    reproduce.run(copy, MADE_WITH)
    said = capsys.readouterr().out
    assert done == []
    assert {path: path.stat().st_mtime_ns for path in before} == before
    verdicts = pd.read_csv(copy / "results" / "claims.csv")["verdict"].value_counts()
    assert f"claims: {verdicts['holds (one seed)']} hold, " in said
    assert f"report: {copy / 'report.html'}" in said


def test_a_dry_run_only_tells(copy, done, capsys):
    (copy / "results" / "rewinding.csv").unlink()
    other = dataclasses.replace(MADE_WITH, gradients=dataclasses.replace(SMOKE.gradients, gradient_epochs="final"))
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    reproduce.run(copy, other, dry_run=True)
    assert plan(capsys) == {
        "train": False,
        "geometry": False,
        "decoding": False,
        "rewinding": True,
        "gradients": True,
        **LEFT_ALONE,
    }
    assert done == []
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


def test_a_table_that_was_changed_is_made_again(copy, done, capsys):
    path = copy / "results" / "geometry.csv"
    path.write_text(path.read_text().replace("permuted", "Permuted", 1))
    reproduce.run(copy, MADE_WITH, dry_run=True)
    assert [name for name, runs in plan(capsys).items() if runs] == ["geometry"]


def test_when_training_goes_on_all_is_measured_anew(copy, done, capsys):
    longer = dataclasses.replace(MADE_WITH, run=dataclasses.replace(SMOKE.run, epochs=5))
    reproduce.run(copy, longer, dry_run=True)
    # No spheres are in these data, and umap-learn need not be installed.
    assert {name for name, runs in plan(capsys).items() if not runs} <= {"umap", "spheres"}


@pytest.mark.parametrize(
    ("figure", "needed"),
    [("fig2a", []), ("fig4", ["rewinding"]), ("fig5f", ["gradients"]), ("fig3b,fig4b", ["geometry", "rewinding"])],
)
def test_a_figure_needs_only_its_tables(tmp_path, done, capsys, figure, needed):
    reproduce.run(tmp_path / "new", SMOKE, figures=reproduce._choose_figures(figure, SMOKE), dry_run=True)
    assert list(plan(capsys)) == ["train", *needed]


def test_a_figure_is_drawn_and_nothing_else(copy, done, capsys):
    shutil.rmtree(copy / "figures")
    reproduce.run(copy, MADE_WITH, figures=select("fig2a"))
    assert [path.name for path in (copy / "figures").iterdir()] == ["fig2a.svg"]
    assert done == []
    assert f"drawn: {copy / 'figures' / 'fig2a.svg'}" in capsys.readouterr().out


def test_a_figure_of_other_networks_is_refused():
    with pytest.raises(ValueError, match="fig4d cannot be drawn: needs networks of several widths"):
        reproduce._choose_figures("fig4d", SMOKE)
    with pytest.raises(ValueError, match="fig3a cannot be drawn: is drawn from one network; give a preset without"):
        reproduce._choose_figures("fig3a", presets.PRESETS["double_descent_small"])


@pytest.mark.parametrize(
    ("preset", "chosen", "left_out"),
    [
        ("double_descent_small", ["fig4c", "fig4d", "fig4e"], "fig4a, fig4b: is drawn from one network;"),
        ("smoke", ["fig4a", "fig4b"], "fig4c, fig4d, fig4e: needs networks of several widths; make them with: python"),
    ],
)
def test_what_is_left_out_of_a_figure_is_said(capsys, preset, chosen, left_out):
    assert [figure.name for figure in reproduce._choose_figures("fig4", presets.PRESETS[preset])] == chosen
    assert capsys.readouterr().out.startswith(f"not drawn: {left_out}")


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
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_figure_that_cannot_be_is_refused_before_training(
    tmp_path, done, monkeypatch, names, changes, reason, dry_run
):
    blocked = [step._replace(package=("no_umap", "pip install it")) if step.package else step for step in steps.STEPS]
    monkeypatch.setattr(steps, "STEPS", blocked)
    chosen = dataclasses.replace(SMOKE, run=dataclasses.replace(SMOKE.run, **changes))
    with pytest.raises(ValueError, match=re.escape(reason)):
        reproduce.run(tmp_path / "new", chosen, figures=select(names), dry_run=dry_run)
    assert done == []
    assert not list(tmp_path.iterdir())


def test_one_figure_that_cannot_be_does_not_stop_the_others(tmp_path, done, capsys):
    reproduce.run(tmp_path / "new", SMOKE, figures=select("figa3,fig5f"), dry_run=True)
    said = capsys.readouterr().out
    assert said.startswith("not drawn: figa3: its data set is digits")
    assert "gradients" in said
    assert "spheres  " not in said


def test_a_figure_is_drawn_from_a_table_that_could_not_be_made_here(copy, done, capsys):
    (copy / "results" / "spheres.csv").write_text("made elsewhere")
    reproduce.run(copy, MADE_WITH, figures=select("figa3"), dry_run=True)
    assert "not drawn" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "measured"),
    [
        ("best,final", "log,best,final"),
        ("3", "log,3"),
        ("log", "log"),
        ("all", "all"),
        ("0, 2,final", "0, 2,final"),
    ],
)
def test_a_map_of_capacity_has_enough_epochs(tmp_path, given, measured):
    chosen = dataclasses.replace(SMOKE, geometry=dataclasses.replace(SMOKE.geometry, geometry_epochs=given))
    found = reproduce._with_epochs_of_maps(chosen, select("fig3,map_capacity"), [Run(tmp_path)])
    assert found.geometry.geometry_epochs == measured
    assert reproduce._with_epochs_of_maps(chosen, select("fig3"), [Run(tmp_path)]) == chosen


def test_the_epochs_of_a_map_are_not_taken_away_again(copy, done, capsys):
    settings = dataclasses.replace(SMOKE.geometry, geometry_epochs="log,best,final")
    record.recorded("geometry")(lambda *arguments: None)(copy, settings)
    reproduce.run(copy, SMOKE, dry_run=True)
    assert plan(capsys)["geometry"] is False


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        ("rewinding", {"rewind_layers": "nope"}, "expected rewind_layers among linear1, .*, got 'nope'"),
        ("rewinding", {"rewind_layers": "conv"}, "got 'conv'; the network has no convolutions"),
        (
            "rewinding",
            {"rewind_epochs": "log,5"},
            "expected rewind_epochs of at most 4, .*, got 5",
        ),
        ("geometry", {"geometry_epochs": "50"}, "expected geometry_epochs of at most 4, .*, got 50"),
        ("gradients", {"gradient_epochs": "0, 9"}, "expected gradient_epochs of at most 4, .*, got 9"),
        ("decoding", {"decoding_epochs": "5,final"}, "expected decoding_epochs of at most 4, .*, got 5"),
        ("capacity_check", {"capacity_epochs": "5"}, "expected capacity_epochs of at most 4, .*, got 5"),
        ("umap", {"umap_epochs": "5"}, "expected umap_epochs of at most 4, .*, got 5"),
    ],
)
def test_settings_that_no_network_has_are_refused_before_training(tmp_path, done, part, changes, message):
    chosen = dataclasses.replace(SMOKE, **{part: dataclasses.replace(getattr(SMOKE, part), **changes)})
    with pytest.raises(ValueError, match=message):
        reproduce.run(tmp_path / "new", chosen)
    assert done == []
    assert not list(tmp_path.iterdir())


def test_epochs_of_a_finished_run_are_those_it_has(copy, done):
    table = pd.read_csv(copy / "metrics.csv")[:4]
    table.loc[3, "train_accuracy"] = 1.0
    write_metrics(copy, table.to_dict("records"), read_noted(Run(copy)).identity)
    chosen = dataclasses.replace(SMOKE, gradients=dataclasses.replace(SMOKE.gradients, gradient_epochs="4"))
    with pytest.raises(ValueError, match="expected gradient_epochs of at most 3, the last epoch of the run, got 4"):
        reproduce.run(copy, chosen, dry_run=True)


@pytest.mark.parametrize("seeds", [[], [0, 1]])
def test_nothing_is_made_in_a_sweep(tmp_path, done, seeds):
    (tmp_path / "runs.csv").write_text("")
    with pytest.raises(ValueError, match=f"{tmp_path} holds a sweep; give one of its runs"):
        reproduce.run(tmp_path, SMOKE, seeds, dry_run=True)
    with pytest.raises(ValueError, match=f"{tmp_path} holds a sweep; give one of its runs"):
        reproduce.run_widths(tmp_path, presets.PRESETS["double_descent_small"], seeds, dry_run=True)


def test_an_ensemble_is_not_taken_for_a_run(tmp_path):
    made_up_run(tmp_path / "seed_3", seed=3)
    with pytest.raises(ValueError, match=r"holds an ensemble; .*--seeds=3"):
        reproduce.run(tmp_path, SMOKE)


def test_a_package_that_is_not_there_is_named(tmp_path):
    step = steps.Step("geometry", None, ("geometry",), package=("no_such_package", "pip install it"))
    planned = steps.plan_step(step, [Run(tmp_path)], SMOKE, None, None, trained=True)
    assert planned == steps.Planned("geometry", "needs no_such_package: pip install it", False)


def test_widths_are_planned_as_one_step(tmp_path, capsys):
    small = presets.PRESETS["double_descent_small"]
    (tmp_path / "width_2").mkdir()
    reproduce.run_widths(tmp_path, small, [0], dry_run=True)
    assert "double_descent  1 of 6 widths begun: runs" in capsys.readouterr().out


@pytest.mark.slow
def test_an_ensemble_from_one_command(tmp_path):
    flags = ("--preset=smoke", "--geometry_epochs=final", "--seeds=1-2", f"--workdir={tmp_path}")
    done = python("-m", "experiments.reproduce", *flags)
    assert done.returncode == 0, done.stderr
    assert f"report: {tmp_path / 'report.html'}" in done.stdout
    for table in ("geometry", "decoding", "rewinding", "gradients"):
        assert set(pd.read_csv(tmp_path / "results" / f"{table}.csv")["seed"]) == {1, 2}
    again = python("-m", "experiments.reproduce", *flags, "--dry_run")
    assert again.stdout.count("left as it is") == len(steps.STEPS) + 1


# --- records


def test_a_step_is_noted_with_its_settings(tmp_path):
    folder, config = Run(tmp_path), SMOKE.gradients

    @record.recorded("gradients")
    def step(workdir, config, splits=None, *, skip_damaged=False):
        (Run(workdir).results / "gradients.csv").write_text("a\n")

    folder.results.mkdir()
    # With gaps it is another table than the one that is asked for.
    step(tmp_path, config, skip_damaged=True)
    assert record.read_record(folder)["gradients"]["settings"]["skip_damaged"] is True
    assert not record.is_made(folder, "gradients", config)
    step(tmp_path, config, object())
    assert record.read_record(folder)["gradients"]["settings"] == dataclasses.asdict(config)
    assert record.is_made(folder, "gradients", config)
    assert not record.is_made(folder, "gradients", dataclasses.replace(config, gradient_bn="eval"))
    assert not record.is_made(folder, "rewinding", SMOKE.rewinding)
    folder.metrics.write_text("another network\n")
    assert not record.is_made(folder, "gradients", config)


def test_a_damaged_record_counts_as_none(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "made.json").write_text('{"geometry": ')
    assert record.read_record(Run(tmp_path)) == {}


# --- estimates


def test_the_operations_of_an_mlp_are_counted(tmp_path):
    splits = data.load("digits")
    config = dataclasses.replace(SMOKE.run, width=64)
    fast = measure_work(config, splits, Run(tmp_path))
    wide = measure_work(dataclasses.replace(config, width=1024), splits, Run(tmp_path))
    assert 0 < fast.forward_seconds < wide.forward_seconds < 60
    assert fast.num_classes == 10
    assert fast.num_layers == 6


def test_a_run_that_was_begun_tells_its_own_speed(tmp_path):
    run = Run(made_up_run(tmp_path))
    table = pd.read_csv(run.metrics)
    table["seconds"] = [50.0, 20.0, 3.0]
    table.to_csv(run.metrics, index=False)
    assert measure_work(SMOKE.run, data.load("digits"), run).epoch_seconds == 3.0


WORK = Work(0.1, 0.4, 100, 10, 6, 10**7, 1000, 10**6, (784, *[256] * 6))


def test_more_work_takes_longer():
    work = WORK
    more = work._replace(forward_seconds=0.2, epochs=1000, num_layers=12)
    for step in steps.STEPS:
        if step.name in ("examples", "umap", "spheres"):
            continue
        assert 0 < seconds_of(step.name, SMOKE, work) < seconds_of(step.name, SMOKE, more)
    assert seconds_of("unheard of", SMOKE, work) is None


def test_wider_layers_and_more_of_everything_take_more_memory():
    more = WORK._replace(data_bytes=10**9, num_examples=10**5, num_parameters=10**8, widths=(784, *[65536] * 6))
    for step in ("train", *(one.name for one in steps.STEPS)):
        assert 0 < bytes_of(step, SMOKE, WORK) < bytes_of(step, SMOKE, more)
    points = 4 * sum(more.widths) * 10 * SMOKE.geometry.examples_per_class
    besides = 8 * more.num_parameters + PROGRAM_BYTES + SOLVER_BYTES
    # Themselves and one copy, and little else.
    assert 2 * points < bytes_of("geometry", SMOKE, more) - besides < 2.1 * points
    # Parameters, their gradients and two moments are the least that Adam holds.
    assert bytes_of("train", SMOKE, more) > 16 * more.num_parameters + more.data_bytes


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_cannot_fit_into_memory_is_refused_before_training(tmp_path, capsys, dry_run):
    chosen = dataclasses.replace(SMOKE, geometry=dataclasses.replace(SMOKE.geometry, num_draws=10**9))
    refusal = r"geometry with these settings would take [\d.e+]+ [GT]B of memory, .* available; lower --num_draws"
    with pytest.raises(ValueError, match=refusal):
        reproduce.run(tmp_path / "run", chosen, dry_run=dry_run)
    assert re.search(r"geometry +nothing yet: runs, about .*, peak [\d.]+ TB\n", capsys.readouterr().out)
    assert not Run(tmp_path / "run").metrics.exists()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "about 1 s"),
        (75, "about 75 s"),
        (150, "about 2 minutes"),
        (9000, "about 2 hours"),
        (200_000, "about 2 days"),
        (None, "for a time that is not known"),
    ],
)
def test_durations_in_words(seconds, text):
    assert about(seconds) == text
