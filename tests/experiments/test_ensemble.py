import dataclasses

import pandas as pd
import pytest

from experiments import ensemble, train
from experiments.members import for_each, parse_seeds
from experiments.presets import get_preset
from memorize_jax.runs import member_folders
from memorize_jax.training import Ensemble

SMOKE = get_preset("smoke")
RUN = dataclasses.replace(SMOKE.run, epochs=2, num_train=200)


def columns(path):
    return pd.read_csv(path / "metrics.csv").drop(columns="seconds")


def test_an_ensemble_is_a_folder_of_runs(tmp_path, monkeypatch):
    """Trained together or one by one, interrupted or not, measured into one table with a column for the seed."""
    monkeypatch.setattr(Ensemble, "is_faster_together", lambda self: True)
    ensemble.run(tmp_path / "a", RUN, [0, 3], run_one=train.run)
    assert [folder.name for folder in member_folders(tmp_path / "a")] == ["seed_0", "seed_3"]

    # One member is behind, so that the others have to wait for it.
    ensemble.run(tmp_path / "b", dataclasses.replace(RUN, epochs=1), [3], run_one=train.run)
    monkeypatch.setattr(Ensemble, "is_faster_together", lambda self: False)
    ensemble.run(tmp_path / "b", RUN, [0, 3], run_one=train.run)
    for name in ("seed_0", "seed_3"):
        pd.testing.assert_frame_equal(columns(tmp_path / "a" / name), columns(tmp_path / "b" / name), rtol=1e-3)

    def measure(folder):
        (folder / "results").mkdir()
        pd.DataFrame({"seed": [int(folder.name[5:])] * 2}).to_csv(folder / "results" / "some.csv", index=False)

    for_each(tmp_path / "a", measure, ("some.csv",))
    assert pd.read_csv(tmp_path / "a" / "results" / "some.csv")["seed"].tolist() == [0, 0, 3, 3]


def test_a_single_run_is_not_made_an_ensemble(tmp_path):
    train.run(tmp_path, dataclasses.replace(RUN, epochs=1))
    with pytest.raises(ValueError, match="holds a single run; choose another --workdir for an ensemble"):
        ensemble.run(tmp_path, RUN, [0, 1], run_one=train.run)
    assert member_folders(tmp_path) == []


@pytest.mark.parametrize(("text", "seeds"), [("0-3", [0, 1, 2, 3]), ("7", [7]), ("5,0-1, 1", [0, 1, 5]), ("2-2", [2])])
def test_seeds_are_read(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3-1", "-1", "1.5", "0--2", "0-99999999"])
def test_other_seeds_are_refused(text):
    with pytest.raises(ValueError, match=r"expected (seeds like 0-9 or 0,3,7-8|at most 1000 seeds), got"):
        parse_seeds(text)
