import contextlib
import dataclasses
import math

import pytest

from memorize_jax.presets import PRESETS
from memorize_jax.runs import loggers
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.loggers import about_run, check_installed, opened_loggers
from memorize_jax.runs.noted import Noted, write_config
from memorize_jax.runs.train import train_run
from memorize_jax.storage.curves import ended, points
from memorize_jax.storage.files import read_json
from memorize_jax.storage.tables import METRICS

CONFIG = dataclasses.replace(PRESETS["smoke"].run, wandb=True)
NOTED = Noted(CONFIG, preset="smoke", identity="1" * 32)


class Service:
    """A service that keeps what it is given: id -> [(epoch, loss)]; it fails when it is told to."""

    def __init__(self):
        self.runs, self.about, self.opened_times, self.failing, self.endings = {}, {}, 0, False, []

    def check_installed(self):
        raise ValueError("--wandb needs it")

    def place(self, folder):
        return "here"

    def hint(self, folder, about):
        return "look there"

    @contextlib.contextmanager
    def opened(self, folder, rows, about):
        self.opened_times += 1
        self.about[about.id] = about
        held = self.runs.setdefault(about.id, [])

        def add(*rows):
            for row in rows:
                if self.failing:
                    raise OSError("no\nnetwork")
                if row["epoch"] not in dict(held):
                    held.append((row["epoch"], row["loss"]))

        add(*rows)
        try:
            yield add
        except BaseException:
            self.endings.append("killed")
            raise
        self.endings.append("done")


@pytest.fixture
def service(monkeypatch):
    made = Service()
    monkeypatch.setitem(loggers.LOGGERS, "wandb", made)
    monkeypatch.setattr(loggers, "SHARE", 0)
    monkeypatch.setattr(loggers, "FAILED_SECONDS", 0)
    return made


@pytest.fixture
def folder(tmp_path):
    run = RunFolder(tmp_path / "mine")
    write_config(run, CONFIG, NOTED)
    return run


def rows(number):
    return [dict.fromkeys(METRICS, 0.5) | {"epoch": epoch, "loss": 2.0 - epoch} for epoch in range(number)]


def whole(number):
    return [(row["epoch"], row["loss"]) for row in rows(number)]


def log(folder, before, after):
    with opened_loggers(folder, NOTED, rows(before)) as tell:
        for row in rows(after)[before:]:
            tell(row)


def test_every_epoch_is_logged_once_under_one_id(service, folder, capsys):
    log(folder, 0, 3)
    log(folder, 3, 5)
    # What training does again after it was killed is not logged again.
    log(folder, 2, 6)
    assert list(service.runs.values()) == [whole(6)]
    assert service.endings == ["done"] * 3
    assert capsys.readouterr().err == "look there\n" * 3
    # A run of which nothing is missing is not opened.
    log(folder, 6, 6)
    assert service.opened_times == 3
    assert read_json(folder.loggers)[0] == {"id": next(iter(service.runs)), "wandb": ["here", 6]}


@pytest.mark.parametrize("lost", [0, 2, 4])
def test_after_a_kill_the_same_run_gets_what_it_lacks(service, folder, lost):
    """A kill leaves the note as it was and the service with some of the epochs."""
    with contextlib.ExitStack() as never_left:
        tell = never_left.enter_context(opened_loggers(folder, NOTED, []))
        for row in rows(4):
            tell(row)
        never_left.pop_all()
    (held,) = service.runs.values()
    del held[4 - lost :]
    log(folder, 4, 5)
    assert list(service.runs.values()) == [whole(5)]


def test_a_service_that_fails_gets_all_later_and_one_warning_is_given(service, folder, capsys):
    with opened_loggers(folder, NOTED, []) as tell:
        tell(rows(1)[0])
        service.failing = True
        for row in rows(4)[1:]:
            tell(row)
        service.failing = False
        tell(rows(5)[4])
        assert list(service.runs.values()) == [whole(5)]
        service.failing = True
        tell(rows(6)[5])
    said = capsys.readouterr().err
    assert said.count("warning: wandb: OSError: no network; training goes on, and wandb is given later") == 2
    assert said.endswith("warning: wandb lacks epochs, which metrics.csv has; the same command logs them\n")
    service.failing = False
    log(folder, 6, 6)
    assert list(service.runs.values()) == [whole(6)]


def test_after_a_failure_and_after_a_slow_answer_it_waits(service, folder, monkeypatch):
    monkeypatch.setattr(loggers, "FAILED_SECONDS", 60.0)
    with opened_loggers(folder, NOTED, []) as tell:
        service.failing = True
        tell(rows(1)[0])
        service.failing = False
        tell(rows(2)[1])
        assert list(service.runs.values()) == [[]]
    # At the end it is given all in any case.
    assert list(service.runs.values()) == [whole(2)]


def test_training_that_ends_with_an_error_keeps_it_and_the_service_knows(service, folder):
    def fail():
        with opened_loggers(folder, NOTED, []) as tell:
            tell(rows(1)[0])
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail()
    assert service.endings == ["killed"]
    assert list(service.runs.values()) == [whole(1)]


def test_what_is_not_there_is_said_before_anything_is_written(service, tmp_path):
    with pytest.raises(ValueError, match="--wandb needs it"):
        check_installed(CONFIG)
    with pytest.raises(ValueError, match="--wandb needs it"):
        train_run(tmp_path / "new", CONFIG)
    assert not (tmp_path / "new").exists()
    check_installed(dataclasses.replace(CONFIG, wandb=False))


def test_without_a_logger_nothing_is_written(folder):
    with opened_loggers(folder, NOTED._replace(config=dataclasses.replace(CONFIG, wandb=False)), []) as tell:
        tell(rows(1)[0])
    assert not folder.loggers.exists()


def test_loggers_are_no_part_of_what_a_run_is():
    assert dataclasses.replace(CONFIG, wandb=False).identity() == CONFIG.identity()
    assert set(loggers.LOGGERS) <= {field.name for field in dataclasses.fields(CONFIG)}


def test_names_groups_points_and_times(tmp_path):
    about = lambda path: about_run(RunFolder(tmp_path / path), NOTED, "id")[1:3]
    assert about("mine") == ("mine", None)
    assert about("ten/seed_3") == ("ten/seed_3", "ten")
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "runs.csv").touch()
    assert about("sweep/c27d3bd31fbc") == ("sweep/c27d3bd31fbc", "sweep")
    assert about_run(RunFolder(tmp_path), NOTED, "id").notes == {"identity": "1" * 32, "preset": "smoke"}
    row = {"epoch": 1, "loss": 2.0, "train_accuracy": 0.5, "permuted_accuracy": math.nan}
    assert points(row) == {"loss": 2.0, "accuracy/train": 0.5}
    times = ended([{"seconds": 9.0}, {"seconds": 2.0}, {"seconds": 3.0}])
    assert [times[1] - times[0], times[2] - times[1]] == pytest.approx([2.0, 3.0], abs=1e-3)
    assert ended([]) == []
