import dataclasses

import pandas as pd
import pytest

from experiments import double_descent, presets
from memorize_jax.runs.folder import Run
from memorize_jax.runs.noted import read_config
from memorize_jax.storage.tables import DOUBLE_DESCENT, GEOMETRY, METRICS, read_table

SMOKE = presets.PRESETS["smoke"]
CONFIG = dataclasses.replace(SMOKE.run, epochs=2, permuted_fraction=0.1, keep="best,last")


def sweep(workdir, widths, seeds=(0,)):
    drawn = double_descent.run(workdir, CONFIG, SMOKE.geometry, widths, seeds)
    return drawn, read_table(Run(workdir).results / "double_descent.csv", DOUBLE_DESCENT, "")


@pytest.fixture
def measured(monkeypatch):
    """Runs that were measured; the second time it is interrupted. The numbers are made up."""
    folders = []

    def measure(workdir, *_):
        folders.append(workdir.name)
        if len(folders) == 2:
            raise KeyboardInterrupt
        config = read_config(Run(workdir))
        numbers = dict.fromkeys(DOUBLE_DESCENT, 0.5) | {"seed": config.seed, "width": config.width, "layer": "linear5"}
        return [{**numbers, "num_parameters": config.width, "moment": moment} for moment in ("best", "final")]

    monkeypatch.setattr(double_descent, "measure", measure)
    return folders


def test_every_width_is_a_run_and_the_sweep_goes_on_where_it_stopped(tmp_path, measured):
    with pytest.raises(KeyboardInterrupt):
        sweep(tmp_path, (2, 4))
    drawn, table = sweep(tmp_path, (2, 4))
    assert measured == ["width_2", "width_4", "width_4"]
    assert {"fig4c.svg", "fig4d.svg", "fig4e.svg"} <= {path.name for path in drawn if path.stat().st_size}
    assert table[["width", "moment"]].to_numpy().tolist() == [[2, "best"], [2, "final"], [4, "best"], [4, "final"]]
    for width in (2, 4):
        assert read_config(Run(tmp_path / f"width_{width}")).width == width


@pytest.mark.slow
def test_several_seeds_of_a_width_are_an_ensemble(tmp_path, measured):
    measured.append("before")
    with pytest.raises(KeyboardInterrupt):
        sweep(tmp_path, (2,), (0, 3))
    _, table = sweep(tmp_path, (2,), (0, 3))
    assert table["seed"].tolist() == [0, 0, 3, 3]
    assert read_config(Run(tmp_path / "width_2" / "seed_3")).seed == 3


@pytest.mark.slow
def test_the_test_manifolds_of_the_last_hidden_layer_are_measured(smoke_run):
    rows = pd.DataFrame(double_descent.measure(smoke_run, SMOKE.geometry))
    metrics = read_table(Run(smoke_run).metrics, METRICS, "")
    assert rows["moment"].tolist() == ["best", "final"]
    assert rows["test_accuracy"].tolist() == [metrics["test_accuracy"].max(), metrics["test_accuracy"].iloc[-1]]
    # 64 inputs, five hidden layers of 32 units, ten classes.
    assert set(rows["num_parameters"]) == {64 * 32 + 4 * 32**2 + 5 * 32 + 32 * 10 + 10}
    table = read_table(Run(smoke_run).results / "geometry.csv", GEOMETRY, "")
    same = table[(table["epoch"] == 4) & (table["group"] == "test") & (table["layer"] == "linear5")].iloc[0]
    for column in ("capacity", "radius", "dimension", "center_correlation"):
        assert rows[column].iloc[1] == pytest.approx(same[column], rel=1e-3)


def test_widths_come_in_order_each_once():
    assert double_descent.parse_widths("8, 1,2,1") == [1, 2, 8]


@pytest.mark.parametrize("text", ["", "0", "1,,2", "1.5", "-1", "two"])
def test_malformed_widths_are_named(text):
    with pytest.raises(ValueError, match="expected widths like 1,2,4,8, got"):
        double_descent.parse_widths(text)


def test_too_few_test_examples_are_noticed_before_anything_is_trained(tmp_path):
    manifolds = dataclasses.replace(SMOKE.geometry, examples_per_class=10_000)
    with pytest.raises(ValueError, match="at least 10000 test examples in every class"):
        double_descent.run(tmp_path / "new", CONFIG, manifolds, (2,), (0,))
    assert not (tmp_path / "new").exists()
