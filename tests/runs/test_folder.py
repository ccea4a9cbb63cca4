import dataclasses
import importlib
import json
import os
import re
import shutil
import subprocess

import jax
import numpy as np
import pytest

from memorize_jax.config import RunConfig
from memorize_jax.data import permute_labels
from memorize_jax.runs import provenance
from memorize_jax.runs.folder import RunFolder, check_no_sweep, check_writable
from memorize_jax.runs.identity import run_identity
from memorize_jax.runs.labels import read_labels, write_labels
from memorize_jax.runs.noted import check_same_run, read_config, read_noted, write_config

CONFIG = RunConfig(dataset="spheres_small", width=32, permuted_fraction=0.3, learning_rate=3e-4, seed=7)


def written(tmp_path, config=CONFIG):
    run = RunFolder(tmp_path / "deep" / "run")
    write_config(run, config)
    return run


# --- config.json


@pytest.mark.parametrize("config", [CONFIG, RunConfig(), dataclasses.replace(CONFIG, data_dir='a "quoted" ünicode')])
def test_a_configuration_comes_back_with_its_provenance(tmp_path, config):
    run = written(tmp_path, config)
    assert read_config(run) == config
    (found,) = read_noted(run).provenance
    assert [found] == json.loads(run.config.read_text(encoding="utf-8"))["provenance"]
    assert found["packages"]["jax"] == jax.__version__
    assert found["packages"]["numpy"] == np.__version__
    assert found["device"].startswith(f"{len(jax.devices())} x ")
    assert re.fullmatch(r"unknown\+[0-9a-f]{8}|[0-9a-f]{40}(\+[0-9a-f]{8})?", found["commit"])
    assert [path.name for path in run.workdir.iterdir()] == ["config.json"]


@pytest.fixture(autouse=True)
def asked_for_the_first_time():
    provenance._commit.cache_clear()
    yield
    provenance._commit.cache_clear()


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_changes_that_are_not_committed_stand_beside_the_commit(tmp_path, monkeypatch):
    here = tmp_path / "memorize_jax" / "runs" / "provenance.py"
    here.parent.mkdir(parents=True)
    here.write_text("1")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=me", "-c", "user.email=me@here"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "ours"]):
        subprocess.run([*git, *words], check=True)
    monkeypatch.setattr(provenance, "__file__", str(here))
    found = []
    new = here.with_name("new.py")
    for path, text in ((here, "1"), (here, "2"), (here, "3"), (here, "1"), (new, "4"), (new, "5")):
        path.write_text(text)
        provenance._commit.cache_clear()
        found.append(provenance.provenance()["commit"])
    # The code that runs stays what it is, whatever is written meanwhile.
    new.write_text("6")
    assert provenance.provenance()["commit"] == found[-1]
    new.write_text("5")
    (tmp_path / "notes.txt").write_text("elsewhere")
    provenance._commit.cache_clear()
    assert provenance.provenance()["commit"] == found[-1]
    assert re.fullmatch("[0-9a-f]{40}", found[0])
    assert found[3] == found[0]
    assert len(set(found)) == 5
    assert all(re.fullmatch(rf"{found[0]}\+[0-9a-f]{{8}}", one) for one in found if one != found[0])


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_the_commit_of_somebody_elses_repository_is_not_ours(tmp_path, monkeypatch):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=me", "-c", "user.email=me@here"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "theirs"]):
        subprocess.run([*git, *words], check=True)
    here = tmp_path / "memorize_jax" / "runs" / "provenance.py"
    here.parent.mkdir(parents=True)
    monkeypatch.setattr(provenance, "__file__", str(here))
    found = []
    for text in ("1", "2", "1"):
        here.write_text(text)
        provenance._commit.cache_clear()
        found.append(provenance.provenance()["commit"])
    # An edit is seen there too.
    assert all(re.fullmatch(r"unknown\+[0-9a-f]{8}", one) for one in found)
    assert found[0] == found[2] != found[1]


def test_code_of_ones_own_has_checksums(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("1")
    package = tmp_path / "my_room"
    package.mkdir()
    for name in ("__init__.py", "measure.py"):
        (package / name).write_text("1")
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = ("mine", "my_room", "my_room.measure", "memorize_jax.models", "no_such_module", "sys")
    first = provenance.own_code(modules)
    assert list(first) == ["mine", "my_room", "my_room.measure"]
    assert first == provenance.own_code(modules)
    (package / "measure.py").write_text("2")
    # The code that runs is that which was imported.
    assert provenance.own_code(["my_room"]) == {"my_room": first["my_room"]}
    importlib.reload(importlib.import_module("my_room"))
    changed = provenance.own_code(modules)
    assert {name for name in first if first[name] != changed[name]} == {"my_room", "my_room.measure"}
    mine = dataclasses.replace(CONFIG, model="mine:NETWORK", loss="my_room:loss")
    assert mine.own_modules == ("mine", "my_room")


def test_a_folder_without_a_run_says_how_to_make_one_unless_it_holds_results_of_points(tmp_path):
    check_same_run(RunFolder(tmp_path), CONFIG)
    with pytest.raises(FileNotFoundError, match=f"train one with: python -m experiments.train --workdir={tmp_path}"):
        read_config(RunFolder(tmp_path))
    for name in ("results/geometry.csv", "figures/geometry.svg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("")
    with pytest.raises(FileNotFoundError, match=r"it holds results of geometry --points") as error:
        read_config(RunFolder(tmp_path))
    assert "experiments.train" not in str(error.value)


@pytest.mark.parametrize("noted", [{}, {"provenance": None}])
def test_a_run_may_have_no_provenance(tmp_path, noted):
    run = written(tmp_path)
    run.config.write_text(json.dumps({"config": dataclasses.asdict(CONFIG), **noted}))
    assert read_config(run) == CONFIG
    assert read_noted(run).provenance == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"provenance": {}}', b"\xff\xfe"]
    + [b'{"config": %s}' % config for config in (b"null", b'{"color": 3}', b"{}", b'{"seed": 3}')],
)
def test_a_damaged_configuration_is_named_in_one_line(tmp_path, content):
    run = RunFolder(tmp_path)
    run.config.write_bytes(content)
    with pytest.raises(ValueError, match=r"config\.json: expected the configuration of a run") as error:
        read_config(run)
    assert "\n" not in str(error.value)
    assert str(run.config) in str(error.value)


# --- is it the same run


# Field of a run -> another value; those that may change when it is resumed, and those that make another run.
MAY_CHANGE = {
    **{"epochs": 5, "stop_accuracy": 0.5, "extra_epochs": 3, "data_dir": "/elsewhere", "keep": "log"},
    **{"keep_dtype": "bfloat16", "on_nan": "restore", "steps_per_call": 3, "tensorboard": True},
    **{"wandb": True, "mlflow": True},
}
OTHER = {
    **{"scaling": "symmetric", "num_train": 500, "dataset": "digits", "model": "vgg", "width": None, "init": "torch"},
    **{"dropout": 0.1, "dtype": "bfloat16", "permuted_fraction": 0.31, "permutation": "uniform"},
    **{"learning_rate": 1e-4, "batch_size": 12, "seed": 8, "optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.1},
    **{"schedule_epochs": 3, "augment": "flip", "loss": "mse", "label_smoothing": 0.1, "schedule": "my:own"},
    "image_size": 32,
}


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(RunConfig)])
def test_a_field_is_either_what_a_run_is_or_how_long(tmp_path, field):
    run = written(tmp_path)
    asked = dataclasses.replace(CONFIG, **{field: (MAY_CHANGE | OTHER)[field]})
    if field in MAY_CHANGE:
        check_same_run(run, asked)
        return
    with pytest.raises(ValueError, match="choose another --workdir or the same settings") as error:
        check_same_run(run, asked)
    assert f"holds a run with {field}={getattr(CONFIG, field)} (asked: {OTHER[field]})" in str(error.value)
    # A schedule that is not constant has a length.
    assert str(error.value).count("asked") == (2 if field == "schedule" else 1)


def test_all_fields_that_differ_are_named(tmp_path):
    asked = dataclasses.replace(CONFIG, seed=8, width=64, epochs=3)
    with pytest.raises(ValueError, match=r"width=32 \(asked: 64\), seed=7 \(asked: 8\)"):
        check_same_run(written(tmp_path), asked)


def test_a_run_of_before_there_were_recipes_is_the_same_run_still(tmp_path):
    """Its config.json names none of them; it was trained as their defaults say, and has the identity that it had."""
    run = written(tmp_path)
    new = [field.name for field in dataclasses.fields(RunConfig) if field.metadata["is_new"]]
    content = json.loads(run.config.read_text(encoding="utf-8"))
    content = {"config": {name: value for name, value in content["config"].items() if name not in new}}
    run.config.write_text(json.dumps(content))
    assert read_config(run) == CONFIG
    check_same_run(run, CONFIG)
    assert not set(new) & set(CONFIG.identity())
    # Written down when the fields came.
    known = run_identity(RunConfig(), {"images": "a", "labels": "b"})
    assert known == "2bc9bfb087ba4c1f7176f968395b9bb7"


def test_more_epochs_of_a_schedule_are_refused_with_the_flag_that_keeps_it(tmp_path):
    cosine = dataclasses.replace(CONFIG, schedule="cosine", epochs=10)
    run = written(tmp_path, cosine)
    longer = dataclasses.replace(cosine, epochs=20)
    with pytest.raises(
        ValueError, match=r"schedule_epochs=10 \(asked: 20\).* the same settings, here --schedule_epochs=10$"
    ):
        check_same_run(run, longer)
    check_same_run(run, dataclasses.replace(longer, schedule_epochs=10))


def test_a_schedule_has_a_length_that_decides_and_a_constant_rate_has_none():
    cosine = dataclasses.replace(CONFIG, schedule="cosine", epochs=10)
    longer = dataclasses.replace(cosine, epochs=20)
    assert longer.identity() != cosine.identity()
    assert dataclasses.replace(longer, schedule_epochs=10).identity() == cosine.identity()
    assert cosine.stretch(epochs=3).identity() == cosine.identity()
    assert dataclasses.replace(CONFIG, epochs=20).identity() == dataclasses.replace(CONFIG, epochs=10).identity()


# --- a sweep is no run


@pytest.mark.parametrize("member", ["b1", "b1/seed_0"])
def test_a_sweep_names_one_of_its_runs(tmp_path, member):
    (tmp_path / "runs.csv").write_text("")
    write_config(RunFolder(tmp_path / member), CONFIG)
    message = f"{tmp_path} holds a sweep; give one of its runs as --workdir, e.g. {tmp_path}/b1$"
    for refuse in (read_config, lambda run: check_same_run(run, CONFIG)):
        with pytest.raises(ValueError, match=message):
            refuse(RunFolder(tmp_path))


def test_a_run_is_not_made_beside_the_seeds_of_an_ensemble(tmp_path):
    for seed in (0, 3):
        write_config(RunFolder(tmp_path / f"seed_{seed}"), CONFIG)
    with pytest.raises(ValueError, match=rf"workdir {tmp_path} holds an ensemble; resume it with --seeds=0,3$"):
        check_same_run(RunFolder(tmp_path), CONFIG)


def test_a_sweep_that_was_not_begun_names_none_and_a_run_does_not_hide_it(tmp_path):
    run = RunFolder(tmp_path)
    run.sweep.write_text("")
    with pytest.raises(ValueError, match=r"give one of its runs as --workdir, once there are some$"):
        check_no_sweep(tmp_path)
    write_config(run, CONFIG)
    with pytest.raises(ValueError, match=r"holds a run \(config.json\) and a sweep \(runs.csv\); move one"):
        read_config(run)


@pytest.mark.parametrize(("name", "command"), [("b1", "sweep"), ("width_2", "double_descent")])
def test_a_run_that_is_gone_from_a_sweep_comes_back_by_the_sweep(tmp_path, name, command):
    (tmp_path / "runs.csv").write_text("")
    (tmp_path / name).mkdir()
    message = f"resume that with: python -m experiments.{command} --workdir={tmp_path} and"
    with pytest.raises(FileNotFoundError, match=message):
        read_config(RunFolder(tmp_path / name))


# --- where a run can be


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_file_is_not_a_folder_and_holds_no_run(tmp_path, below):
    (tmp_path / "notes.txt").write_text("mine")
    for refuse in (check_writable, lambda path: read_config(RunFolder(path))):
        with pytest.raises(NotADirectoryError, match=r"notes\.txt is not a folder"):
            refuse(tmp_path / "notes.txt" / below)


def test_a_folder_without_permission_is_named_and_one_that_does_not_exist_yet_is_fine_and_not_made(
    tmp_path, monkeypatch
):
    check_writable(tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())
    # Permission bits do not bind root, so the answer of the system is made up.
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(PermissionError, match=f"no permission to write in {tmp_path}$"):
        check_writable(tmp_path / "run")


# --- labels.npz


def test_labels_come_back_without_pickle_and_with_what_made_them_from_below_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    run = RunFolder("~/run")
    assert run.workdir == tmp_path / "run"
    labels = permute_labels(np.arange(40) % 4, 0.5, key=jax.random.key(0), num_classes=4)
    write_labels(run, labels, CONFIG)
    for found, expected in zip(read_labels(run), labels, strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype
    assert [path.name for path in run.workdir.iterdir()] == ["labels.npz"]
    with np.load(run.labels, allow_pickle=False) as content:
        assert set(content) == {"assigned", "true", "is_permuted", "seed", "mode", "identity", "checksum"}
        assert all(content[name].dtype != object for name in content)
        assert (int(content["seed"]), str(content["mode"])) == (7, "shuffle")


def test_missing_and_damaged_labels_are_named(tmp_path):
    run = RunFolder(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no labels\.npz in"):
        read_labels(run)
    for content in (b"", b"PK\x03\x04 cut short"):
        run.labels.write_bytes(content)
        with pytest.raises(ValueError, match=r"labels\.npz: expected the labels of a run"):
            read_labels(run)
