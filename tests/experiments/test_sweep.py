import dataclasses

import pandas as pd
import pytest
from experiments.configs import GeometryConfig
from experiments.grid import combinations, parse_grid, plan, read_sweep
from experiments.record import recorded

from experiments import claims, figures, report, sweep
from memorize_jax.config import RunConfig
from memorize_jax.runs.folder import Run
from memorize_jax.runs.noted import write_config
from memorize_jax.storage.tables import METRICS
from tests.experiments.made_up import made_up_run

FILE = """
preset = "smoke"
seeds = "0-1"
[run]
epochs = 2
[grid]
permuted_fraction = [0, 0.5, 1]
width = [8, 16]
"""


def test_a_file_and_flags_give_the_same_runs(tmp_path):
    (tmp_path / "sweep.toml").write_text(FILE)
    from_file = read_sweep(tmp_path / "sweep.toml", "digits", {}, None)
    from_flags = plan("smoke", {"epochs": 2}, parse_grid(["permuted_fraction=0,0.5,1", "width=8,16"]), "0,1")
    assert combinations(from_file) == combinations(from_flags)
    assert from_file.seeds == [0, 1]
    assert read_sweep(tmp_path / "sweep.toml", "digits", {"epochs": 9}, "3").seeds == [3]


def test_names_depend_on_what_a_run_is_and_on_nothing_else():
    name = lambda run, seeds=None: combinations(plan("smoke", run, {}, seeds))[0].name
    assert name({}) == name({"epochs": 77, "keep": "best,last"}) == name({"permuted_fraction": 0.5})
    assert len({name({}), name({"width": 9}), name({"permuted_fraction": 0.25}), name({"num_train": 100})}) == 4
    assert name({}, "0-3") == name({}, "5")
    grid = plan("smoke", {}, {"permuted_fraction": [0, 1], "learning_rate": [1, 0.1]}, None)
    assert [one.values["learning_rate"] for one in combinations(grid)] == [1, 0.1, 1, 0.1]
    assert all(isinstance(one.config.permuted_fraction, float) for one in combinations(grid))


@pytest.mark.parametrize(
    ("run", "grid", "message"),
    [
        ({"depth": 3}, {}, "expected fields of a run .*, got 'depth'"),
        ({}, {"seed": [0, 1]}, "or seeds apart, got 'seed'"),
        ({}, {"epochs": [1, 3]}, "expected fields of --grid that make another run, got epochs"),
        ({}, {"width": 3}, "expected a list of different values for width, got 3"),
        ({}, {"width": [3, 3]}, "expected a list of different values for width"),
        ({}, {"width": ["wide"]}, "expected width to be int, got 'wide'"),
        ({}, {"permuted_fraction": [2]}, "expected permuted_fraction between 0 and 1, got 2"),
        ({}, {"model": ["mlp", "cnn"]}, "expected model to be one of"),
    ],
)
def test_a_plan_that_cannot_be_is_named(run, grid, message):
    with pytest.raises(ValueError, match=message):
        combinations(plan("smoke", run, grid, None))


@pytest.mark.parametrize(
    ("text", "message"),
    [("[grid", "expected a TOML file"), ("epochs = 3", "expected the parts .*, got 'epochs'"), ("run = 3", "a table")],
)
def test_a_file_that_is_no_sweep_is_named(tmp_path, text, message):
    (tmp_path / "sweep.toml").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_sweep(tmp_path / "sweep.toml", "smoke", {}, None)


def fake_run(folder, config, seeds, chosen, together):
    """Leaves the tables of a finished run; the one of width 16 fails."""
    if config.width == 16:
        raise ValueError("too wide")
    row = {name: 1.0 for name in METRICS}

    @recorded("geometry")
    def measure(member, measured):
        (member / "results").mkdir()
        (member / "results" / "geometry.csv").write_text("x")

    for seed in seeds or [config.seed]:
        member = folder / f"seed_{seed}" if seeds else folder
        write_config(Run(member), dataclasses.replace(config, seed=seed))
        pd.DataFrame([{**row, "epoch": epoch} for epoch in range(config.epochs + 1)]).to_csv(member / "metrics.csv")
        measure(member, chosen.geometry)
    (folder / "results").mkdir(exist_ok=True)
    (folder / "results" / "geometry.csv").write_text("x")


@pytest.mark.parametrize("seeds", [None, "0-2"])
def test_complete_runs_are_skipped_and_failed_ones_tried_again(tmp_path, monkeypatch, seeds):
    tried = []

    def count(folder, config, *rest):
        tried.append(config.width)
        fake_run(tmp_path / folder, config, *rest)

    monkeypatch.setattr(sweep, "run_one", count)
    wanted = plan("smoke", {"epochs": 2}, {"width": [8, 16, 32]}, seeds)
    for expected in ([8, 16, 32], [16]):
        tried.clear()
        with pytest.raises(ValueError, match=r"1 of . runs failed: [0-9a-f]{12}; the same command tries them again"):
            sweep.run(tmp_path, wanted)
        assert tried == expected
    table = pd.read_csv(tmp_path / "runs.csv")
    assert table["state"].tolist() == ["complete", "missing", "complete"]
    assert table["width"].tolist() == [8, 16, 32]
    # Other settings of the geometry, or other seeds, are not what is there.
    other = wanted._replace(preset=dataclasses.replace(wanted.preset, geometry=GeometryConfig(num_draws=60)))
    assert sweep.table_of_runs(tmp_path, other, combinations(other))["state"].tolist() == [
        "trained",
        "missing",
        "trained",
    ]
    other = plan("smoke", {"epochs": 2}, {"width": [8, 16, 32]}, "5-6")
    if seeds:
        assert sweep.table_of_runs(tmp_path, other, combinations(other))["state"].tolist() == ["missing"] * 3


@pytest.mark.parametrize(("member", "held"), [("", "a single run"), ("seed_0", "an ensemble")])
def test_a_sweep_does_not_write_into_a_run(tmp_path, member, held):
    write_config(Run(tmp_path / member), RunConfig())
    wanted = plan("smoke", {}, {"width": [8]}, None)
    with pytest.raises(ValueError, match=f"holds {held}; choose another --workdir for a sweep"):
        sweep.table_of_runs(tmp_path, wanted, combinations(wanted))
    assert not (tmp_path / "runs.csv").exists()


@pytest.mark.parametrize("show", [figures.run, claims.run, report.run])
def test_a_run_that_is_gone_comes_back_by_the_command_of_the_sweep(tmp_path, show):
    made_up_run(tmp_path / "one")
    runs = {"run": ["one", "two"], "permuted_fraction": [0.5, 0.25], "seeds": 1, "state": "complete"}
    pd.DataFrame(runs).to_csv(tmp_path / "runs.csv", index=False)
    with pytest.raises(FileNotFoundError, match=f"no run in {tmp_path}/two .*experiments.sweep --workdir={tmp_path} "):
        show(tmp_path)


def test_jobs_go_through_submitit(tmp_path):
    pytest.importorskip("submitit")
    jobs = [(str(tmp_path / "a"), dataclasses.replace(RunConfig(), dataset="nothing"), [], None)]
    assert sweep._submit(tmp_path, jobs, "debug", {"timeout_min": 1}) == [0]


def test_a_folder_that_holds_another_combination_is_refused(tmp_path):
    wanted = plan("smoke", {}, {"width": [8, 16]}, "0")
    one, other = combinations(wanted)
    write_config(Run(tmp_path / one.name / "seed_0"), dataclasses.replace(other.config, seed=0))
    with pytest.raises(ValueError, match=r"holds a run with width=16 \(asked: 8\)"):
        sweep.table_of_runs(tmp_path, wanted, combinations(wanted))


def test_a_field_of_the_grid_is_given_once():
    with pytest.raises(ValueError, match="expected each field of --grid once, got width again"):
        parse_grid(["width=8", "width=16"])


@pytest.mark.parametrize("name", [".", "..", "../elsewhere", "/elsewhere", "a"])
def test_a_table_of_runs_names_folders_of_its_own_once(tmp_path, name):
    made_up_run(tmp_path / "a")
    runs = {"run": ["a", name], "permuted_fraction": [0.5, 0.5], "seeds": 1, "state": "complete"}
    pd.DataFrame(runs).to_csv(tmp_path / "runs.csv", index=False)
    with pytest.raises(ValueError, match=r"runs\.csv is damaged \(run '"):
        report.run(tmp_path)
