"""Several seeds in one folder: trained one by one or together, resumed as they began, measured into one table."""

import dataclasses
import shutil

import pandas as pd
import pytest

from memorize_jax.measurements.registry import open_study
from memorize_jax.presets import get_preset
from memorize_jax.runs import train
from memorize_jax.runs.folder import RunFolder, member_folders
from memorize_jax.runs.metrics import read_metrics, write_metrics
from memorize_jax.runs.noted import read_noted
from memorize_jax.runs.seeds import for_each, parse_seeds
from memorize_jax.runs.train import train_run, train_seeds
from memorize_jax.storage.checkpoints import EpochStore, disk
from tests.reliability.outcome import differences, outcome_of_all

RUN = dataclasses.replace(get_preset("smoke").run, width=16, epochs=4, num_train=200)


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Two seeds trained as one program; copy it, never change it."""
    folder = tmp_path_factory.mktemp("together")
    train_seeds(folder, RUN, [0, 3], together=True)
    return folder


@pytest.fixture
def copy(together, tmp_path):
    return shutil.copytree(together, tmp_path / "copy")


def test_an_ensemble_is_a_folder_of_runs(tmp_path, together):
    train_seeds(tmp_path, dataclasses.replace(RUN, epochs=1), [3])
    train_seeds(tmp_path, RUN, [0, 3])
    assert [folder.name for folder in member_folders(tmp_path)] == ["seed_0", "seed_3"]
    for seed in ("seed_0", "seed_3"):
        ours, theirs = (pd.read_csv(folder / seed / "metrics.csv") for folder in (tmp_path, together))
        pd.testing.assert_frame_equal(ours.drop(columns="seconds"), theirs.drop(columns="seconds"), rtol=1e-3)

    def measure(folder):
        (folder / "results").mkdir()
        pd.DataFrame({"seed": [int(folder.name[5:])] * 2}).to_csv(folder / "results" / "some.csv", index=False)

    for_each(tmp_path, measure, ("some.csv",))
    assert pd.read_csv(tmp_path / "results" / "some.csv")["seed"].tolist() == [0, 0, 3, 3]
    with pytest.raises(ValueError, match="holds a single run; choose another --workdir for an ensemble"):
        train_seeds(tmp_path / "seed_0", RUN, [0, 1])
    (tmp_path / "seed_0").rename(tmp_path / "seed_7")
    with pytest.raises(ValueError, match="seed_7 holds a run of seed 0; rename it"):
        open_study(tmp_path)


@pytest.mark.parametrize(
    "epochs_of", [{"seed_0": 1, "seed_3": 2}, {"seed_0": 2, "seed_3": 2}, {"seed_3": 0}, {"seed_0": 3, "seed_3": 4}]
)
def test_seeds_trained_together_resume_together_to_the_same_bits(copy, together, epochs_of):
    """Whatever a kill has left of each, and although --together is not given again."""
    for name in ("seed_0", "seed_3"):
        left, run = epochs_of.get(name, -1), RunFolder(copy / name)
        with EpochStore(run.checkpoints) as store:
            store.forget_after(left)
        # The row of the next epoch is there already, as after a kill.
        identity = read_noted(run).identity
        rows = read_metrics(run.workdir, identity).to_dict("records")
        write_metrics(run.workdir, rows[: left + 2], identity)
    train_seeds(copy, RUN, [0, 3])
    assert differences(outcome_of_all(copy), outcome_of_all(together)) == []


def test_how_seeds_are_trained_is_kept_and_a_damaged_epoch_is_named(copy):
    assert [read_noted(RunFolder(folder)).together for folder in member_folders(copy)] == [[0, 3], [0, 3]]
    with pytest.raises(ValueError, match=r"seeds 0, 3 are trained as one program; give all of them: --seeds=0,3"):
        train_seeds(copy, RUN, [0])
    with pytest.raises(ValueError, match=r"trained together with seeds 0, 3, .* can only be resumed in that way"):
        train_run(copy / "seed_3", dataclasses.replace(RUN, seed=3, epochs=5))
    # A new seed is trained in the way that is asked for now; those that are there stay.
    train_seeds(copy, RUN, [0, 3, 4])
    assert read_noted(RunFolder(copy / "seed_4")).together == []
    shutil.rmtree(copy / "seed_3" / "checkpoints" / "epochs" / "2")
    with pytest.raises(ValueError, match=r"epoch 2 is missing in .*seed_3 was trained together with others and cannot"):
        train_seeds(copy, RUN, [0, 3])


def test_what_cannot_be_trained_together_is_refused_before_anything_is_written(tmp_path):
    for options, wanted in (
        ({"model": "alexnet"}, "a model of dense layers without dropout"),
        ({"on_nan": "restore"}, "on_nan=stop"),
    ):
        with pytest.raises(ValueError, match=f"expected {wanted} with --together, got {next(iter(options.values()))}"):
            train_seeds(tmp_path / "a", dataclasses.replace(RUN, **options), [0, 1], together=True)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("changed", [{"learning_rate": 1e-3}, {"permuted_fraction": 0.1}])
def test_runs_of_different_studies_are_refused_by_name(copy, changed):
    train_run(copy / "seed_4", dataclasses.replace(RUN, seed=4, epochs=1, **changed))
    (name, value), *_ = changed.items()
    message = rf"seed_4 is of another study than {copy}/seed_0: {name}={value} \(there: {getattr(RUN, name)}\)"
    for show in (open_study, lambda folder: for_each(folder, print), lambda folder: train_seeds(folder, RUN, [0, 3])):
        with pytest.raises(ValueError, match=message):
            show(copy)


def test_seeds_that_end_at_other_epochs_are_refused_with_what_brings_them_together(copy):
    with pytest.raises(ValueError, match=r"seed_4 .*|seed_0 .*") as error:
        train_seeds(copy, dataclasses.replace(RUN, epochs=1), [4])
    assert "epochs=4 (there: 1)" in str(error.value)
    assert not (copy / "seed_4").exists()
    # In its own folder nobody sees the others.
    train_run(copy / "seed_4", dataclasses.replace(RUN, seed=4, epochs=1))
    said = r"seed_4 is trained to another end than .*seed_0: epochs=1 \(there: 4\); .* --seeds=0,3,4 --epochs=4, which"
    for show in (open_study, lambda folder: for_each(folder, print), lambda folder: train_seeds(folder, RUN, [0, 3])):
        with pytest.raises(ValueError, match=said) as error:
            show(copy)
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"seed_0 was trained to epoch 4, further than is asked .* --epochs=4 "):
        train_seeds(copy, dataclasses.replace(RUN, epochs=1), [0, 3, 4])
    train_seeds(copy, RUN, [0, 3, 4])
    study = open_study(copy)
    assert (study.seeds, study.unfinished) == ((0, 3, 4), ())
    # Nothing is left to train: fewer epochs change nothing, and are no mixture.
    train_seeds(copy, dataclasses.replace(RUN, epochs=3), [0, 3, 4])
    assert {len(study.metrics_of(seed)) for seed in open_study(copy).seeds} == {5}


def test_an_ensemble_whose_further_training_is_interrupted_can_be_read_and_resumed(tmp_path, monkeypatch):
    train_seeds(tmp_path, dataclasses.replace(RUN, epochs=1), [0, 1, 2])
    (tmp_path / "results").mkdir()
    for folder in (*member_folders(tmp_path), tmp_path):
        (folder / "results").mkdir(exist_ok=True)
        for name in ("geometry", "claims"):
            (folder / "results" / f"{name}.csv").write_text("seed\n0\n")
    train_in, longer = train._train_in, dataclasses.replace(RUN, epochs=2)

    def killed_after_the_first(runs, plan):
        if runs[0][1].seed == 1:
            raise KeyboardInterrupt
        train_in(runs, plan)

    monkeypatch.setattr(train, "_train_in", killed_after_the_first)
    with pytest.raises(KeyboardInterrupt):
        train_seeds(tmp_path, longer, [0, 1, 2])
    # What was put together of all seeds is not of these networks any more.
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["claims.csv"]
    (tmp_path / "seed_0" / "results" / "geometry.csv").unlink()
    for seed in (1, 2):
        (tmp_path / f"seed_{seed}" / "results" / "geometry.csv").unlink()
    study = open_study(tmp_path)
    assert study.unfinished == (("", 1), ("", 2))
    monkeypatch.setattr(train, "_train_in", train_in)
    with pytest.raises(ValueError, match=r"--seeds=.* --epochs=3, which trains on what is shorter"):
        train_seeds(tmp_path, dataclasses.replace(RUN, epochs=3), [0])
    with pytest.raises(ValueError, match=r"seed_0 was trained to epoch 2, further than is asked for"):
        train_seeds(tmp_path, dataclasses.replace(RUN, epochs=1), [0, 1, 2])
    train_seeds(tmp_path, longer, [1, 2])
    study = open_study(tmp_path)
    assert study.unfinished == ()
    assert [len(study.metrics_of(seed)) for seed in study.seeds] == [3, 3, 3]


def test_the_seeds_of_an_ensemble_need_their_disk_together(tmp_path, monkeypatch):
    needed = []
    monkeypatch.setattr(disk, "bytes_needed", lambda *_, **sizes: needed.append(sizes) or 10)
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 25)
    with pytest.raises(OSError, match=r"^3 seeds with 4 epochs of .* need 30 bytes"):
        train_seeds(tmp_path / "all", RUN, [0, 1, 2])
    assert not (tmp_path / "all").exists()


def test_seeds_are_read_and_what_are_none_refused():
    read = {"0-3": [0, 1, 2, 3], "7": [7], "5,0-1, 1": [0, 1, 5], "2-2": [2]}
    assert {text: parse_seeds(text) for text in read} == read
    for text in ("", "a", "3-1", "-1", "1.5", "0--2", "0-99999999"):
        with pytest.raises(ValueError, match=r"expected (seeds like 0-9 or 0,3,7-8|at most 1000 seeds), got"):
            parse_seeds(text)
