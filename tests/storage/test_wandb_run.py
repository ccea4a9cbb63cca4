import contextlib
import importlib.util
import json
import math
import pathlib
import shutil
import sys
import time
import types

import pytest

from memorize_jax.storage import wandb_run
from memorize_jax.storage.bucket import scan
from memorize_jax.storage.curves import About, points
from memorize_jax.storage.lock import check_no_links
from memorize_jax.storage.tables import METRICS

ABOUT = About("a1b2c3d4", "ten/seed_3", "ten", {"epochs": 4, "width": None}, {"preset": "smoke"})


def rows(number):
    values = dict.fromkeys(METRICS, 0.25) | {"seconds": 2.0, "permuted_accuracy": math.nan}
    return [values | {"epoch": epoch, "loss": 2.0 - epoch} for epoch in range(number)]


class Run:
    """A run of W&B: `there` steps were uploaded before."""

    def __init__(self, there):
        self.starting_step, self.logged, self.code = there, [], None

    def log(self, values, step, commit):
        assert commit
        assert step >= self.starting_step
        assert step > max((earlier for earlier, _ in self.logged), default=-1)
        self.logged.append((step, {name: value for name, value in values.items() if name != "_timestamp"}))

    def finish(self, exit_code):
        self.code = exit_code


@pytest.fixture
def service(monkeypatch):
    """W&B's module with `there` steps uploaded; `made` are its runs, `asked` what `init` was asked for."""
    for name in ("MODE", "DIR", "PROJECT", "ENTITY", "BASE_URL", "NAME", "RUN_GROUP", "CONSOLE", "ERROR_REPORTING"):
        monkeypatch.delenv(f"WANDB_{name}", raising=False)
    fake = types.SimpleNamespace(there=0, made=[], asked=[], Settings=lambda **settings: settings)

    def init(**asked):
        folder = pathlib.Path(asked["dir"]) / "wandb" / f"offline-run-{len(fake.made)}-{asked['id']}"
        if asked["settings"]["mode"] == "offline":
            folder.mkdir(parents=True)
            (folder / f"run-{asked['id']}.wandb").touch()
        fake.asked.append(asked)
        fake.made.append(Run(fake.there))
        return fake.made[-1]

    fake.init = init
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


def test_without_the_package_one_sentence_says_so(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"--wandb needs wandb: pip install 'memorize_jax\[wandb\]'"):
        wandb_run.check_installed()


def test_offline_a_run_is_written_anew_and_whole(service, tmp_path):
    folder = tmp_path / "wandb"
    assert wandb_run.place(folder) == ""
    with wandb_run.opened(folder, [], ABOUT) as add:
        add(*rows(3))
    other = folder / "offline-run-9-another"
    other.mkdir()
    with contextlib.suppress(KeyError), wandb_run.opened(folder, rows(2), ABOUT) as add:
        add(*rows(4)[2:])
        raise KeyError("killed")
    assert [run.code for run in service.made] == [0, 1]
    assert service.made[1].logged == [(row["epoch"], points(row)) for row in rows(4)]
    assert sorted(path.name for path in folder.iterdir()) == [f"offline-run-1-{ABOUT.id}", other.name]
    asked = service.asked[1]
    assert (asked["settings"]["mode"], asked["resume"], asked["project"]) == ("offline", None, "memorize_jax")
    assert (asked["name"], asked["group"]) == ("ten/seed_3", "ten")
    assert asked["config"] == {"epochs": 4, "width": None, "preset": "smoke"}
    assert wandb_run.place(folder) == "offline   "
    assert f"wandb sync {folder}/offline-run-*-{ABOUT.id}" in wandb_run.hint(folder, ABOUT)


@pytest.mark.parametrize("there", [0, 2, 4, 6])
def test_online_it_goes_on_after_what_is_there(service, monkeypatch, tmp_path, there):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    service.there = there
    with wandb_run.opened(tmp_path / "wandb", rows(4), ABOUT) as add:
        add(*rows(7)[4:])
    assert [step for step, _ in service.made[0].logged] == list(range(there, 7))
    asked = service.asked[0]
    assert (asked["settings"]["mode"], asked["resume"], asked["project"], asked["id"]) == (
        "online",
        "allow",
        "mine",
        ABOUT.id,
    )
    assert wandb_run.place(tmp_path / "wandb") == "online   mine"
    assert wandb_run.hint(tmp_path / "wandb", ABOUT) == ""


def test_a_link_that_a_killed_process_left_is_no_obstacle_and_goes(service, tmp_path):
    link = tmp_path / "wandb" / f"offline-run-5-{ABOUT.id}" / "logs" / "debug-core.log"
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "elsewhere")
    check_no_links(tmp_path)
    assert not scan(tmp_path)[0]
    with wandb_run.opened(tmp_path / "wandb", [], ABOUT):
        assert not link.is_symlink()
    (tmp_path / "other.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"other\.log is a link"):
        check_no_links(tmp_path)


def test_the_environment_of_wandb_counts(service, monkeypatch, tmp_path):
    for name, value in {"DIR": str(tmp_path / "there"), "CONSOLE": "wrap", "NAME": "own", "RUN_GROUP": "ours"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    with wandb_run.opened(tmp_path / "run" / "wandb", rows(1), ABOUT):
        pass
    (asked,) = service.asked
    assert (asked["name"], asked["group"], asked["dir"]) == ("own", "ours", tmp_path / "there")
    assert "console" not in asked["settings"]
    assert asked["settings"]["symlink"] is False
    assert not (tmp_path / "run").exists()
    assert wandb_run.place(tmp_path / "run" / "wandb").startswith("offline")


def records(path):
    """What stands in a file of W&B, a log in LevelDB's form: blocks of 32 KiB, records with a head of 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, at, whole = path.read_bytes(), 7, b""
    while at + 7 <= len(content):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        size, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        whole += content[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # a whole record, or its last part
            yield Record.FromString(whole)
            whole = b""


def complete(folder, number):
    """The records of a run, once W&B's process has written the last one."""
    (path,) = folder.glob(f"*-{number}/*.wandb")
    for _ in range(100):
        found = list(records(path))
        if found and found[-1].HasField("exit"):
            return found
        time.sleep(0.1)
    raise AssertionError(f"{path} never came to its end")


# W&B starts a process of its own.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_wandb_itself_writes_each_epoch_once_and_leaves_no_link(monkeypatch, tmp_path):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    folder = tmp_path / "run" / "wandb"
    folder.parent.mkdir()
    with wandb_run.opened(folder, [], ABOUT) as add:
        add(*rows(3))
    shutil.move(folder.parent, tmp_path / "moved")
    folder = tmp_path / "moved" / "wandb"
    # Seeds that are trained as one program are open at once.
    with wandb_run.opened(folder, rows(2), ABOUT) as add:
        with wandb_run.opened(folder, rows(1), ABOUT._replace(id="other")) as add_other:
            add_other(rows(2)[1])
        add(*rows(5)[2:])
    found = complete(folder, ABOUT.id)
    history = [
        {item.nested_key[0]: json.loads(item.value_json) for item in one.history.item}
        for one in found
        if one.HasField("history")
    ]
    assert [one["_step"] for one in history] == list(range(5))
    for one, row in zip(history, rows(5), strict=True):
        assert {name: value for name, value in one.items() if not name.startswith("_")} == points(row)
    # Epochs have the times they took.
    assert history[1]["_timestamp"] - history[0]["_timestamp"] == pytest.approx(2.0, abs=0.01)
    run = next(one.run for one in found if one.HasField("run"))
    assert (run.run_id, run.display_name, run.run_group, run.project) == (ABOUT.id, "ten/seed_3", "ten", "memorize_jax")
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert config | {"epochs": 4, "width": None, "preset": "smoke"} == config
    check_no_links(tmp_path / "moved")
    assert sum(one.HasField("history") for one in complete(folder, "other")) == 2
