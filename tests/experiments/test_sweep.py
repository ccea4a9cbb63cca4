import dataclasses
import shutil

import pandas as pd
import pytest

from memorize_jax.commands import execute, figures, report, sweep
from memorize_jax.commands.execute import is_complete
from memorize_jax.config import RunConfig
from memorize_jax.measurements.driver import noted_settings
from memorize_jax.measurements.registry import get_measurement, open_study
from memorize_jax.presets import PRESETS
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.noted import write_config
from memorize_jax.runs.notes import note_tables
from memorize_jax.storage.tables import METRICS
from memorize_jax.studies.index import write_runs
from memorize_jax.studies.plan import make_plan, plan_listed
from memorize_jax.studies.plan_text import parse_grid, read_plan
from tests.commands import NOTE, Flags
from tests.experiments.made_up import made_up_run

SMOKE = PRESETS["smoke"]
GEOMETRY = get_measurement("geometry")
FILE = """
preset = "smoke"
seeds = "0-1"
[run]
epochs = 2
[grid]
permuted_fraction = [0, 0.5, 1]
width = [8, 16]
"""


@pytest.fixture
def given(monkeypatch):
    """The plan and the settings that the flags of a command line ask for."""

    def given(*flags):
        values = dict(flag.removeprefix("--").split("=", 1) for flag in flags)
        values = {name: [value] if name == "grid" else value for name, value in values.items()}
        monkeypatch.setattr(sweep.cli, "FLAGS", Flags(preset="smoke", **values))
        return sweep.chosen_plan()

    return given


def test_a_file_and_flags_give_the_same_runs(tmp_path, given):
    (tmp_path / "sweep.toml").write_text(FILE)
    plan, preset = given(f"--file={tmp_path / 'sweep.toml'}")
    grid = parse_grid(["permuted_fraction=0,0.5,1", "width=8,16"])
    assert plan.runs() == make_plan(SMOKE.with_run(epochs=2).run, grid, "0,1").runs()
    assert (plan.seeds, preset.name) == ((0, 1), "smoke")
    plan, _ = given(f"--file={tmp_path / 'sweep.toml'}", "--seeds=3")
    assert plan.seeds == (3,)
    with pytest.raises(ValueError, match="expected either --file or --grid, got both"):
        given("--file=a.toml", "--grid=width=3")
    with pytest.raises(ValueError, match="expected each field of --grid once, got width again"):
        parse_grid(["width=8", "width=16"])


def test_names_depend_on_what_a_run_is_and_on_nothing_else():
    name = lambda seeds=None, **run: make_plan(SMOKE.with_run(**run).run, {"batch_size": [64]}, seeds).runs()[0].name
    assert name() == name(epochs=77, keep="best,last") == name(permuted_fraction=0.5)
    assert len({name(), name(width=9), name(permuted_fraction=0.25), name(num_train=100)}) == 4
    assert name("0-3") == name("5")
    runs = make_plan(SMOKE.run, {"permuted_fraction": [0, 1], "learning_rate": [1, 0.1]}).runs()
    assert [one.values["learning_rate"] for one in runs] == [1, 0.1, 1, 0.1]
    assert name(learning_rate=1, permuted_fraction=0) == name(learning_rate=1.0, permuted_fraction=0.0)
    assert all(isinstance(one.config.permuted_fraction, float) for one in runs)


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"depth": [3]}, "expected fields of a run .*, got 'depth'"),
        ({"seed": [0, 1]}, "or seeds apart, got 'seed'"),
        ({"epochs": [1, 3]}, "expected fields of --grid that make another run, got epochs"),
        ({"width": 3}, "expected a list of different values for width, got 3"),
        ({"width": [3, 3]}, "expected a list of different values for width"),
        ({"permuted_fraction": [0, 0.0]}, r"expected a list of different values for permuted_fraction, got \[0, 0.0\]"),
        ({"width": ["wide"]}, "expected width to be int or None, got 'wide'"),
        ({"permuted_fraction": [2]}, "expected permuted_fraction between 0 and 1, got 2"),
        ({"model": ["mlp", "cnn"]}, "expected model to be one of"),
        ({"width": list(range(1, 10_002))}, "expected at most 10000 combinations, got 10001"),
    ],
)
def test_a_plan_that_cannot_be_is_named(grid, message):
    with pytest.raises(ValueError, match=message):
        make_plan(SMOKE.run, grid).runs()


LISTED = """
preset = "smoke"
[run]
momentum = 0.9
[[runs]]
[[runs]]
optimizer = "sgd"
learning_rate = 1
[[runs]]
optimizer = "sgd"
learning_rate = 1
weight_decay = 0.1
"""


def test_runs_can_be_listed(tmp_path, given):
    """Where a run does not say a field that another says, it has that of [run], or of the preset."""
    (tmp_path / "sweep.toml").write_text(LISTED)
    plan, preset = given(f"--file={tmp_path / 'sweep.toml'}")
    assert plan.axes == ("optimizer", "learning_rate", "weight_decay")
    rate = preset.run.learning_rate
    assert [tuple(one.values.values()) for one in plan.runs()] == [("adam", rate, 0), ("sgd", 1, 0), ("sgd", 1, 0.1)]
    # A run has the folder that it would have in a grid.
    base = preset.run
    assert base.momentum == 0.9
    assert (
        plan.runs()[2].name
        == make_plan(dataclasses.replace(base, learning_rate=1.0, weight_decay=0.1), {"optimizer": ["sgd"]})
        .runs()[0]
        .name
    )
    assert write_runs(tmp_path / "sweep", plan, lambda run: True)["optimizer"].tolist() == ["adam", "sgd", "sgd"]
    with pytest.raises(ValueError, match="expected no --optimizer, in which the runs differ"):
        given(f"--file={tmp_path / 'sweep.toml'}", "--optimizer=adamw")


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ([], r"expected 1 to 10000 runs in \[\[runs\]\], got 0"),
        ([{"depth": 3}], "expected fields of a run .*, got 'depth'"),
        ([{"epochs": 3}], r"expected fields of \[\[runs\]\] that make another run, got epochs"),
        ([{"width": 8}, {"width": 8.5}], "expected width to be int or None, got 8.5"),
        (
            [{"width": 8}, {"batch_size": 8, "width": 8}, {"width": 8}],
            "expected .* that differ, got .*'width': 8.* twice",
        ),
        ([{"optimizer": "adam"}, {}], r"expected \[\[runs\]\] that differ, got .*adam.* twice"),
        ([{"momentum": 0.5}, {}], r"expected momentum in each of \[\[runs\]\], or in \[run\]"),
    ],
)
def test_a_list_that_cannot_be_is_named(listed, message):
    with pytest.raises(ValueError, match=message):
        plan_listed(SMOKE.run, listed)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[grid", "expected a TOML file"),
        ("runs = 3", r"expected tables \[\[runs\]\], got 3"),
        ("[grid]\nwidth = [1, 2]\n[[runs]]\nwidth = 3", r"expected either \[grid\] or \[\[runs\]\], got both"),
        ("epochs = 3", "expected the parts .*, got 'epochs'"),
        ("run = 3", "a table"),
        ("[run]\ndepth = 3", "expected fields of a run .*, got 'depth'"),
    ],
)
def test_a_file_that_is_no_sweep_is_named(tmp_path, text, message):
    (tmp_path / "sweep.toml").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_plan(tmp_path / "sweep.toml")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*/none\.toml; expected TOML with preset"):
        read_plan(tmp_path / "none.toml")


def fake_run(folder, config, seeds, preset, names, together):
    """Leaves the tables of a finished run; the one of width 16 fails."""
    if config.width == 16:
        raise ValueError("too wide")
    for seed in seeds or [config.seed]:
        run = RunFolder(f"{folder}/seed_{seed}" if seeds else folder)
        write_config(run, dataclasses.replace(config, seed=seed))
        rows = [dict.fromkeys(METRICS, 1.0) | {"epoch": epoch} for epoch in range(config.epochs + 1)]
        pd.DataFrame(rows).to_csv(run.metrics)
        run.results.mkdir()
        (run.results / "geometry.csv").write_text("x\n1\n")
        note_tables(run, "geometry", ("geometry",), settings=noted_settings(preset.of_all(GEOMETRY)), **NOTE)


@pytest.mark.parametrize("seeds", [None, "0-1"])
def test_complete_runs_are_skipped_and_failed_ones_tried_again(tmp_path, monkeypatch, seeds):
    tried = []

    def count(folder, config, *rest):
        tried.append(config.width)
        fake_run(folder, config, *rest)

    monkeypatch.setattr(execute, "train_and_measure", count)
    preset = SMOKE.with_run(epochs=2)
    plan = make_plan(preset.run, {"width": [8, 16, 32]}, seeds)
    for expected in ([8, 16, 32], [16]):
        tried.clear()
        with pytest.raises(ValueError, match=r"1 of . runs failed: [0-9a-f]{12}; the same command tries them again"):
            execute.execute(tmp_path, plan, preset, [GEOMETRY])
        assert tried == expected
    table = pd.read_csv(tmp_path / "runs.csv")
    assert table["state"].tolist() == ["complete", "missing", "complete"]
    assert table["width"].tolist() == [8, 16, 32]
    # Other settings of the geometry, or other seeds, are not what is there.
    other = preset.replace("geometry", num_draws=60)
    states = write_runs(tmp_path, plan, lambda run: is_complete(run, [GEOMETRY], other))["state"].tolist()
    assert states == ["trained", "missing", "trained"]
    if seeds:
        states = write_runs(tmp_path, plan._replace(seeds=(5, 6)), lambda run: True)["state"].tolist()
        assert states == ["missing"] * 3


def swept(folder, grid, seeds=None, **changes):
    """Makes the runs of a sweep, of two epochs each, unless they are there; returns the index of it."""
    plan = make_plan(dataclasses.replace(SMOKE.run, **{"epochs": 2, "stop_accuracy": 1.0, **changes}), grid, seeds)
    write_runs(folder, plan, lambda run: True)
    for one in plan.runs():
        for member, config in plan.folders(folder, one).items():
            options = dataclasses.asdict(config)
            if not member.config.is_file():
                made_up_run(member.workdir, options.pop("permuted_fraction"), **options)
    return write_runs(folder, plan, lambda run: True)


@pytest.mark.parametrize("seeds", [None, "0-1"])
def test_values_are_added_to_those_of_a_sweep(tmp_path, seeds):
    swept(tmp_path, {"permuted_fraction": [0.3, 0.6]}, seeds)
    for fractions, expected in (([0.9], [0.3, 0.6, 0.9]), ([0.6], [0.3, 0.6, 0.9]), ([0.9, 0.1], [0.3, 0.6, 0.9, 0.1])):
        table = swept(tmp_path, {"permuted_fraction": fractions}, seeds)
        assert table["permuted_fraction"].tolist() == expected
        assert set(table["state"]) == {"complete"}
        assert set(table["seeds"]) == {2 if seeds else 1}
    assert open_study(tmp_path).tables["metrics"]["permuted_fraction"].unique().tolist() == [0.3, 0.6, 0.9, 0.1]
    # The study is what is there.
    shutil.rmtree(tmp_path / table["run"][0])
    assert swept(tmp_path, {"permuted_fraction": [0.9]}, seeds)["permuted_fraction"].tolist() == [0.6, 0.9, 0.1]


def test_a_dry_run_of_other_values_writes_nothing(tmp_path, monkeypatch, capsys):
    swept(tmp_path / "old", {"permuted_fraction": [0.3, 0.6]})
    before = (tmp_path / "old" / "runs.csv").read_bytes()
    for name, expected in (("old", ["0.3", "0.6", "0.9"]), ("new", ["0.9"])):
        options = {"epochs": 2, "stop_accuracy": 1.0, "grid": ["permuted_fraction=0.9"], "dry_run": True}
        monkeypatch.setattr(sweep.cli, "FLAGS", Flags(preset="smoke", workdir=str(tmp_path / name), **options))
        sweep.main()
        rows = capsys.readouterr().out.splitlines()[1:]
        assert [row.split()[1] for row in rows] == expected
        assert rows[-1].split()[3] == "missing"
    assert (tmp_path / "old" / "runs.csv").read_bytes() == before
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("values", "seeds", "changes", "message"),
    [
        ({"width": [8]}, None, {}, "holds a sweep over permuted_fraction; choose another --workdir for one over width"),
        ([0.9], None, {"width": 8}, r"has width=32 \(asked: 8\); choose another --workdir"),
        ([0.9], "0-1", {}, "was trained without --seeds; choose another --workdir for a sweep with them"),
        (
            [0.9],
            None,
            {"epochs": 1},
            r"2 epochs instead of 1, with epochs=2 \(asked: 1\); .*: give the same, or choose",
        ),
        ([0.3, 0.9], None, {"epochs": 1}, r"2 epochs instead of 1, with epochs=2 \(asked: 1\)"),
        ([0.9], None, {"epochs": 5}, r"2 epochs instead of 5, .*: give the same, name its values too, or choose"),
        ([0.9], None, {"stop_accuracy": 0.2}, r"2 epochs instead of 0, with stop_accuracy=1.0 \(asked: 0.2\)"),
    ],
)
def test_runs_that_are_not_comparable_with_those_that_are_there_are_refused(tmp_path, values, seeds, changes, message):
    """The made-up accuracy is 0.25 from the first epoch on."""
    swept(tmp_path, {"permuted_fraction": [0.3, 0.6]})
    before = (tmp_path / "runs.csv").read_bytes()
    grid = values if isinstance(values, dict) else {"permuted_fraction": values}
    with pytest.raises(ValueError, match=message):
        swept(tmp_path, grid, seeds, **changes)
    assert (tmp_path / "runs.csv").read_bytes() == before


def test_a_run_that_an_earlier_version_named_otherwise_is_not_made_twice(tmp_path):
    """As of a file with learning_rate = 1, which was hashed otherwise than 1.0."""
    (name,) = swept(tmp_path, {"permuted_fraction": [0.3]})["run"]
    (tmp_path / name).rename(tmp_path / "0123456789ab")
    text = (tmp_path / "runs.csv").read_text()
    (tmp_path / "runs.csv").write_text(text.replace(name, "0123456789ab"))
    with pytest.raises(ValueError, match=f"0123456789ab holds the run that is called {name} now; rename that folder"):
        swept(tmp_path, {"permuted_fraction": [0.3, 0.6]})
    (tmp_path / "0123456789ab").rename(tmp_path / name)
    assert swept(tmp_path, {"permuted_fraction": [0.3, 0.6]})["permuted_fraction"].tolist() == [0.3, 0.6]


def test_all_runs_of_a_sweep_can_be_trained_further(tmp_path):
    swept(tmp_path, {"permuted_fraction": [0.3, 0.6]})
    table = swept(tmp_path, {"permuted_fraction": [0.3, 0.6]}, epochs=5)
    assert table["state"].tolist() == ["unfinished", "unfinished"]


def test_a_complete_run_whose_networks_are_to_be_kept_otherwise_is_not_complete(tmp_path):
    swept(tmp_path, {"permuted_fraction": [0.3]}, keep="best,last")
    plan = make_plan(dataclasses.replace(SMOKE.run, epochs=2, stop_accuracy=1.0), {"permuted_fraction": [0.3]})
    preset = dataclasses.replace(SMOKE, run=plan.config)
    for asked, keep, state in (
        ([], "all", "complete"),
        (["keep"], "all", "trained"),
        (["keep"], "best,last", "complete"),
    ):
        wanted = preset.with_run(keep=keep)
        table = write_runs(tmp_path, plan, lambda run, wanted=wanted, asked=asked: is_complete(run, [], wanted, asked))
        assert table["state"].tolist() == [state]


@pytest.mark.parametrize(("member", "held"), [("", "a single run"), ("seed_0", "an ensemble")])
def test_a_sweep_does_not_write_into_a_run(tmp_path, member, held):
    write_config(RunFolder(tmp_path / member), RunConfig())
    with pytest.raises(ValueError, match=f"holds {held}; choose another --workdir for a sweep"):
        write_runs(tmp_path, make_plan(SMOKE.run, {"width": [8]}), lambda run: True)
    assert not (tmp_path / "runs.csv").exists()


def test_runs_of_another_combination_or_that_are_named_in_another_way_are_not_mixed(tmp_path):
    plan = make_plan(SMOKE.run, {"width": [8, 16]}, "0")
    one, other = plan.runs()
    write_config(RunFolder(tmp_path / "mixed" / one.name / "seed_0"), dataclasses.replace(other.config, seed=0))
    with pytest.raises(ValueError, match=r"holds a run with width=16 \(asked: 8\)"):
        write_runs(tmp_path / "mixed", plan, lambda run: True)
    by_hash, by_value = (make_plan(SMOKE.run, {"width": [8]}, by_value=by_value) for by_value in (False, True))
    for first, second in ((by_hash, by_value), (by_value, by_hash)):
        write_runs(tmp_path / str(first.by_value), first, lambda run: True)
        with pytest.raises(ValueError, match="holds a sweep"):
            write_runs(tmp_path / str(first.by_value), second, lambda run: True)


@pytest.mark.parametrize("show", [figures.run, open_study, report.run])
def test_a_run_that_is_gone_comes_back_by_the_command_of_the_sweep(tmp_path, show):
    made_up_run(tmp_path / "one")
    runs = {"run": ["one", "two"], "permuted_fraction": [0.5, 0.25], "seeds": 1, "state": "complete"}
    pd.DataFrame(runs).to_csv(tmp_path / "runs.csv", index=False)
    with pytest.raises(FileNotFoundError, match=f"no run in {tmp_path}/two .*experiments.sweep --workdir={tmp_path} "):
        show(tmp_path)


@pytest.mark.parametrize("name", [".", "..", "../elsewhere", "/elsewhere", "a"])
def test_a_table_of_runs_names_folders_of_its_own_once(tmp_path, name):
    made_up_run(tmp_path / "a")
    runs = {"run": ["a", name], "permuted_fraction": [0.5, 0.5], "seeds": 1, "state": "complete"}
    pd.DataFrame(runs).to_csv(tmp_path / "runs.csv", index=False)
    with pytest.raises(ValueError, match=r"runs\.csv is damaged \(run '"):
        report.run(tmp_path)


def test_jobs_go_through_submitit(tmp_path):
    pytest.importorskip("submitit")
    jobs = [(str(tmp_path / "a"), dataclasses.replace(RunConfig(), dataset="nothing"), (), SMOKE, ["geometry"], False)]
    assert execute._submit(tmp_path, jobs, "debug", {"timeout_min": 1}) == [0]
