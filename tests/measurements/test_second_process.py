"""What a second process measures is what the first would have; whatever becomes of it, the first goes on."""

import multiprocessing
import operator
import shutil
import time

import pytest

from memorize_jax.measurements.driver import measure
from memorize_jax.measurements.registry import get_measurement
from memorize_jax.measurements.second_process import (
    MEASURED,
    MOST_UNITS,
    TRAINED,
    Job,
    Room,
    second_process,
    take,
    take_job,
    tell,
)
from memorize_jax.runs.folder import RunFolder
from tests.measurements import tiny

NAMES = "collapse", "few_shot"


@pytest.fixture
def run(tiny_runs, tmp_path):
    return RunFolder(shutil.copytree(tiny_runs["trained"], tmp_path / "run"))


def rooms_of(run):
    return [Room(name, run.workdir, tiny.PRESET.of_all(get_measurement(name))) for name in NAMES]


def wait_until(condition, seconds=120):
    """Whether it came true in that time."""
    ends = time.monotonic() + seconds
    while not condition() and time.monotonic() < ends:
        time.sleep(0.1)
    return condition()


@pytest.mark.slow
def test_tables_are_the_same_and_a_killed_process_is_done_without(run, tmp_path, capfd):
    rooms = rooms_of(run)
    tables = {}
    for name in NAMES:
        measure(get_measurement(name), run.workdir, tiny.PRESET.of_all(get_measurement(name)))
        tables[name] = (run.results / f"{name}.csv").read_bytes()
    for is_killed in (False, True):
        with second_process(rooms) as second:
            tell(second, TRAINED)
            # The first unit of all is the last that the second process begins with.
            assert wait_until(lambda: (second.claims / "0").exists())
            (process,) = multiprocessing.active_children()
            if is_killed:
                process.kill()
                process.join()
                # As if it had died before it could tell.
                second.found.clear()
                while second.answers.poll():
                    try:
                        second.answers.recv()
                    except EOFError:
                        break
            else:
                assert take(second, NAMES[0], run.workdir, MOST_UNITS) is None
                assert take(second, "geometry", run.workdir, 0) is None
            for name in NAMES:
                (run.results / f"{name}.csv").unlink()
                measure(get_measurement(name), run.workdir, tiny.PRESET.of_all(get_measurement(name)), second=second)
                assert (run.results / f"{name}.csv").read_bytes() == tables[name], (is_killed, name)
        assert not second.claims.exists()
        assert multiprocessing.active_children() == []
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.slow
def test_what_the_first_has_begun_the_second_leaves_alone_and_the_other_way_round(run):
    rooms = rooms_of(run)
    with second_process(rooms) as second:
        # Still training: nothing has been handed out.
        assert [take(second, name, run.workdir, 0) for name in NAMES] == [None, None]
        tell(second, TRAINED)
        assert wait_until(lambda: (second.claims / "1").exists())
        rows = take(second, NAMES[0], run.workdir, 1)
        assert rows is not None
        # Of all that it has begun it has told, and what was the first's it has not done.
        assert second.found.keys().isdisjoint({0, MOST_UNITS})
        assert rows[0].keys() >= {"seed", "epoch"}


@pytest.mark.slow
def test_jobs_are_shared_once_all_is_measured(run):
    jobs = {"half": Job(operator.truediv, (1, 2)), "error": Job(operator.truediv, (1, 0)), "later": Job(abs, (-3,))}
    with second_process([], jobs) as second:
        tell(second, TRAINED)
        # Ours, as the second process has not begun.
        assert take_job(second, "half") is None
        tell(second, MEASURED)
        assert wait_until(lambda: (second.claims / "1").exists())
        assert [take_job(second, name) for name in ("later", "error", "unknown")] == [3, None, None]
