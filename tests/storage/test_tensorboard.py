import contextlib
import dataclasses
import importlib.util
import math
import struct

import pytest

from memorize_jax.presets import PRESETS
from memorize_jax.runs import loggers
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.noted import read_config
from memorize_jax.runs.prepare import prepare
from memorize_jax.runs.session import Session
from memorize_jax.runs.train import train_run
from memorize_jax.storage.curves import About, tag
from memorize_jax.storage.tables import METRICS, read_table
from memorize_jax.storage.tensorboard import check_installed, opened
from tests.runs.test_loggers import Service

pytest.importorskip("tensorboardX")

SHORT = {"num_train": 100, "width": 16, "epochs": 1, "permuted_fraction": 0.0, "stop_accuracy": 1.0}
CONFIG = dataclasses.replace(PRESETS["smoke"].run, **SHORT)
ABOUT = About("id", "run", None, {}, {})
WITH_CURVES = dataclasses.replace(CONFIG, tensorboard=True, epochs=3)


def rows(number):
    values = dict.fromkeys(METRICS, 0.25) | {"seconds": 2.0, "permuted_accuracy": math.nan}
    return [values | {"epoch": epoch, "loss": 2.0 - epoch} for epoch in range(number)]


def events(folder):
    """All events in the files of a folder; every record's checksums are compared."""
    from tensorboardX.crc32c import crc32c
    from tensorboardX.proto.event_pb2 import Event

    def checked(stream, size):
        content = stream.read(size)
        rotated = (crc32c(content) >> 15 | crc32c(content) << 17) + 0xA282EAD8
        assert stream.read(4) == struct.pack("<I", rotated & 0xFFFFFFFF)
        return content

    found = []
    for path in sorted(folder.iterdir()):
        with open(path, "rb") as stream:
            while stream.tell() < path.stat().st_size:
                (size,) = struct.unpack("<Q", checked(stream, 8))
                found.append(Event.FromString(checked(stream, size)))
    return found


def points(folder):
    """[(epoch, curve, value)] as they stand in the files."""
    return [(event.step, value.tag, value.simple_value) for event in events(folder) for value in event.summary.value]


def expected(table):
    of = lambda row: {name: row[name] for name in METRICS[1:] if not math.isnan(row[name])}
    return [(row["epoch"], tag(name), pytest.approx(value)) for row in table for name, value in of(row).items()]


def test_every_metric_of_every_epoch_is_a_point_but_for_nan(tmp_path):
    with opened(tmp_path / "events", rows(3), ABOUT) as add:
        times = [event.wall_time for event in events(tmp_path / "events") if event.summary.value]
        assert points(tmp_path / "events") == expected(rows(3))
        add(rows(4)[3])
        # On disk at once: a TensorBoard that watches sees it.
        assert points(tmp_path / "events") == expected(rows(4))
    assert (1, "loss", 1.0) in points(tmp_path / "events")
    assert "accuracy/permuted" not in {curve for _, curve, _ in points(tmp_path / "events")}
    # Earlier epochs have the times they took.
    assert times == sorted(times)
    assert times[-1] - times[0] == pytest.approx(4, abs=0.1)


def test_an_epoch_that_is_done_again_is_there_once(tmp_path):
    with opened(tmp_path / "events", [], ABOUT) as add:
        for row in rows(5):
            add(row)
    (file,) = (tmp_path / "events").iterdir()
    file.write_bytes(file.read_bytes()[:-7])  # killed while it wrote
    with opened(tmp_path / "events", rows(3), ABOUT) as add:
        add(rows(4)[3])
    assert points(tmp_path / "events") == expected(rows(4))
    # What a TensorBoard showed before is to be forgotten.
    assert [event.step for event in events(tmp_path / "events") if event.HasField("session_log")] == [0]


def test_without_the_package_one_sentence_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"needs tensorboardX: pip install 'memorize_jax\[tensorboard\]'"):
        check_installed()
    with pytest.raises(ValueError, match="needs tensorboardX"):
        prepare(tmp_path / "new", WITH_CURVES)
    assert not (tmp_path / "new").exists()


def test_a_run_is_resumed_with_loggers_one_of_which_fails(monkeypatch, tmp_path, capsys):
    service = Service()
    service.failing = True
    monkeypatch.setattr(service, "check_installed", lambda: None)
    monkeypatch.setitem(loggers.LOGGERS, "wandb", service)
    with_all = dataclasses.replace(WITH_CURVES, wandb=True)
    assert with_all.identity() == CONFIG.identity()
    train_run(tmp_path / "run", CONFIG)
    run, lengths, curves = RunFolder(tmp_path / "run"), [], Session.curves

    @contextlib.contextmanager
    def watched(session):
        with curves(session) as draw:
            yield lambda row: (draw(row), lengths.append(len(read_table(run.metrics, METRICS, ""))))

    monkeypatch.setattr(Session, "curves", watched)
    train_run(run.workdir, with_all)
    assert lengths == [3, 4]
    table = read_table(run.metrics, METRICS, "").to_dict("records")
    assert points(run.workdir / "tensorboard") == expected(table)
    assert read_config(run).tensorboard
    said = capsys.readouterr().err
    assert said.count("training goes on") == said.count("wandb lacks epochs") == 1
    # A run that is complete: the same command only gives the service what it lacks.
    service.failing = False
    train_run(run.workdir, with_all)
    ((about, held),) = zip(service.about.values(), service.runs.values(), strict=True)
    assert held == [(row["epoch"], row["loss"]) for row in table]
    assert about.config == dataclasses.asdict(with_all)
