import dataclasses

import pandas as pd
import pytest
from experiments.presets import get_preset

from memorize_jax.runs.folder import Run, member_folders
from memorize_jax.runs.metrics import read_metrics, write_metrics
from memorize_jax.runs.noted import read_noted
from memorize_jax.runs.seeds import for_each, parse_seeds
from memorize_jax.runs.train import train_run, train_seeds
from memorize_jax.storage.checkpoints import EpochStore
from memorize_jax.studies.study import read_study
from tests.reliability.outcome import differences, outcome

SMOKE = get_preset("smoke")
RUN = dataclasses.replace(SMOKE.run, epochs=2, num_train=200)


def columns(path):
    return pd.read_csv(path / "metrics.csv").drop(columns="seconds")


def test_an_ensemble_is_a_folder_of_runs(tmp_path):
    """Trained together or one by one, interrupted or not, measured into one table with a column for the seed."""
    train_seeds(tmp_path / "a", RUN, [0, 3], together=True)
    assert [folder.name for folder in member_folders(tmp_path / "a")] == ["seed_0", "seed_3"]

    train_seeds(tmp_path / "b", dataclasses.replace(RUN, epochs=1), [3])
    train_seeds(tmp_path / "b", RUN, [0, 3])
    for name in ("seed_0", "seed_3"):
        pd.testing.assert_frame_equal(columns(tmp_path / "a" / name), columns(tmp_path / "b" / name), rtol=1e-3)

    def measure(folder):
        (folder / "results").mkdir()
        pd.DataFrame({"seed": [int(folder.name[5:])] * 2}).to_csv(folder / "results" / "some.csv", index=False)

    for_each(tmp_path / "a", measure, ("some.csv",))
    assert pd.read_csv(tmp_path / "a" / "results" / "some.csv")["seed"].tolist() == [0, 0, 3, 3]


@pytest.mark.parametrize(
    "epochs_of", [{"seed_0": 1, "seed_3": 2}, {"seed_0": 2, "seed_3": 2}, {"seed_3": 0}, {"seed_0": 3, "seed_3": 4}]
)
def test_seeds_trained_together_go_on_together_to_the_same_bits(tmp_path, epochs_of):
    """Whatever a kill has left of each member, and whether or not --together is given again."""
    four = dataclasses.replace(RUN, epochs=4)
    train_seeds(tmp_path / "calm", four, [0, 3], together=True)
    train_seeds(tmp_path / "run", four, [0, 3], together=True)
    for name in ("seed_0", "seed_3"):
        left, member = epochs_of.get(name, -1), Run(tmp_path / "run" / name)
        with EpochStore(member.checkpoints) as store:
            store.forget_after(left)
        # The row of the next epoch is there already, as after a kill.
        rows, identity = read_metrics(member.workdir, (noted := read_noted(member)).identity), noted.identity
        write_metrics(member.workdir, rows.to_dict("records")[: left + 2], identity)
    train_seeds(tmp_path / "run", four, [0, 3])
    assert differences(outcome(tmp_path / "run" / "seed_0"), outcome(tmp_path / "calm" / "seed_0")) == []
    assert differences(outcome(tmp_path / "run" / "seed_3"), outcome(tmp_path / "calm" / "seed_3")) == []


def test_how_an_ensemble_trains_is_kept(tmp_path):
    train_seeds(tmp_path, RUN, [0, 3], together=True)
    assert [read_noted(Run(folder)).together for folder in member_folders(tmp_path)] == [[0, 3], [0, 3]]
    with pytest.raises(ValueError, match=r"seeds 0, 3 are trained as one program; give all of them: --seeds=0,3"):
        train_seeds(tmp_path, RUN, [0])
    with pytest.raises(ValueError, match=r"trained together with seeds 0, 3, .* can only be resumed in that way"):
        train_run(tmp_path / "seed_3", dataclasses.replace(RUN, seed=3, epochs=5))
    # A new seed is trained in the way that is asked for now; those that are there stay.
    train_seeds(tmp_path, RUN, [0, 3, 4])
    assert read_noted(Run(tmp_path / "seed_4")).together == []


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (dataclasses.replace(RUN, model="alexnet"), "expected a model without dropout with --together, got alexnet"),
        (dataclasses.replace(RUN, on_nan="restore"), "expected on_nan=stop with --together, got restore"),
    ],
)
def test_what_cannot_be_trained_together_is_refused_before_anything_is_written(tmp_path, config, message):
    with pytest.raises(ValueError, match=message):
        train_seeds(tmp_path / "a", config, [0, 1], together=True)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("changed", [{"learning_rate": 1e-3}, {"permuted_fraction": 0.1}])
def test_members_of_different_studies_are_refused_by_name(tmp_path, changed):
    train_run(tmp_path / "seed_0", RUN)
    train_run(tmp_path / "seed_1", dataclasses.replace(RUN, seed=1, **changed))
    (name, value), *_ = changed.items()
    message = rf"seed_1 is of another study than {tmp_path}/seed_0: {name}={value} \(there: {getattr(RUN, name)}\)"
    for show in (read_study, lambda folder: for_each(folder, print)):
        with pytest.raises(ValueError, match=message):
            show(tmp_path)


def test_a_member_under_another_number_is_refused(tmp_path):
    train_run(tmp_path / "seed_0", RUN)
    (tmp_path / "seed_0").rename(tmp_path / "seed_7")
    with pytest.raises(ValueError, match="seed_7 holds a run of seed 0; rename it"):
        read_study(tmp_path)


def test_a_single_run_is_not_made_an_ensemble(tmp_path):
    train_run(tmp_path, dataclasses.replace(RUN, epochs=1))
    with pytest.raises(ValueError, match="holds a single run; choose another --workdir for an ensemble"):
        train_seeds(tmp_path, RUN, [0, 1])
    assert member_folders(tmp_path) == []


@pytest.mark.parametrize(("text", "seeds"), [("0-3", [0, 1, 2, 3]), ("7", [7]), ("5,0-1, 1", [0, 1, 5]), ("2-2", [2])])
def test_seeds_are_read(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3-1", "-1", "1.5", "0--2", "0-99999999"])
def test_other_seeds_are_refused(text):
    with pytest.raises(ValueError, match=r"expected (seeds like 0-9 or 0,3,7-8|at most 1000 seeds), got"):
        parse_seeds(text)
