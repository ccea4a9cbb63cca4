import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from memorize_jax.runs import distributed
from tests.commands import ROOT, python


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def two_processes(workdir, *flags, number=2):
    """Starts processes of one training run, on one simulated device each; kills what is left of them at the end."""
    where = (f"--coordinator=127.0.0.1:{free_port()}", "--num_processes=2", f"--workdir={workdir}")
    command = (sys.executable, "-m", "experiments.train", "--preset=smoke", *where, *flags)
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "1"}
    options = {"cwd": ROOT, "env": environment, "stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started = [subprocess.Popen([*command, f"--process_id={index}"], **options) for index in range(number)]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


@pytest.mark.slow
def test_two_processes_train_what_one_trains_and_go_on_together(tmp_path, smoke_run):
    for epochs in (2, 4):
        with two_processes(tmp_path, f"--epochs={epochs}") as started:
            errors = [process.communicate(timeout=120)[1] for process in started]
            assert [process.returncode for process in started] == [0, 0], errors
    ours, theirs = (pd.read_csv(folder / "metrics.csv").drop(columns="seconds") for folder in (tmp_path, smoke_run))
    np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-3)
    np.testing.assert_allclose(ours, theirs, atol=0.02)


SLOW = [(0, signal.SIGKILL), (0, signal.SIGSTOP), (1, signal.SIGSTOP)]


@pytest.mark.parametrize(
    ("victim", "blow"), [(1, signal.SIGKILL), *(pytest.param(*one, marks=pytest.mark.slow) for one in SLOW)]
)
def test_a_process_that_is_killed_or_stands_still_ends_the_other_with_a_line(tmp_path, victim, blow):
    with two_processes(tmp_path, "--epochs=1000000", "--stop_accuracy=1", "--keep=best,last") as started:
        deadline = time.monotonic() + 120
        while not (tmp_path / "metrics.csv").is_file():
            assert time.monotonic() < deadline
            assert [process.poll() for process in started] == [None, None]
            time.sleep(0.1)
        started[victim].send_signal(blow)
        _, error = started[1 - victim].communicate(timeout=60)
    code = started[1 - victim].returncode
    # When process 0 is gone, JAX's own watch may abort the other before the broken connection is seen.
    if blow == signal.SIGKILL and code == -signal.SIGABRT:
        assert "another task died" in error
        return
    assert code == 1, error
    reason = r"\(it has not moved for 20 s\); start all of them again" if blow == signal.SIGSTOP else r"\("
    assert re.search(f"error: another process is gone {reason}", error)
    assert blow == signal.SIGKILL or "Fatal" not in error


@pytest.mark.slow
def test_a_process_that_does_not_come_ends_the_other(tmp_path):
    with two_processes(tmp_path, number=1) as (alone,):
        _, error = alone.communicate(timeout=75)
    assert alone.returncode == 1
    assert "error: the other processes did not come within 45 s" in error
    assert not (tmp_path / "config.json").exists()


def test_a_port_that_is_in_use_is_refused_with_a_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        where = f"--coordinator=127.0.0.1:{listener.getsockname()[1]}"
        flags = ("--preset=smoke", f"--workdir={tmp_path}", where, "--num_processes=2", "--process_id=0")
        ended = python("-m", "experiments.train", *flags)
    assert ended.returncode == 1
    said = r"error: port \d+ of --coordinator cannot be used \(Address already in use\); give another one\n"
    assert re.fullmatch(said, ended.stderr)


@pytest.mark.parametrize("taken", ["127.0.0.1", ""])
def test_a_port_is_in_use_on_any_address(taken):
    with socket.create_server((taken, 0)) as listener, pytest.raises(ValueError, match="Address already in use"):
        distributed.join(f"127.0.0.1:{listener.getsockname()[1]}", 2, 0, detect=False)


@pytest.mark.parametrize("number", [0, 1])
def test_arguments_that_do_not_go_together_are_refused(number):
    for address in ("here", "here:", "here:x", "here:0", "here:65536", "1234"):
        with pytest.raises(ValueError, match=f"expected --coordinator=ADDRESS:PORT, got {address}"):
            distributed.join(address, 2, number, detect=False)
    with pytest.raises(ValueError, match="expected process_id between 0 and 1, got 2"):
        distributed.join("here:1234", 2, 2, detect=False)
    with pytest.raises(ValueError, match="together, got no --num_processes"):
        distributed.join("here:1234", None, number, detect=False)
    distributed.join(detect=False)
