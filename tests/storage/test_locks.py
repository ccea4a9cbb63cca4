import json
import os
import socket
import subprocess
import sys

import pytest

from memorize_jax.storage.lock import BusyError, locked


def test_the_second_is_told_who_the_first_is_and_may_enter_after_it(tmp_path):
    workdir = tmp_path / "deep" / "run"
    with locked(workdir):
        with pytest.raises(BusyError, match=f"process {os.getpid()} on {socket.gethostname()} since"), locked(workdir):
            pass
        assert json.loads((workdir / "run.lock").read_text())["pid"] == os.getpid()
    assert not list(workdir.iterdir())
    with locked(workdir):
        pass


@pytest.mark.parametrize("content", ["", "{", '{"pid": 1, "host": "elsewhere", "since": "x", "command": "y"}'])
def test_a_file_that_nobody_holds_is_no_obstacle(tmp_path, content):
    (tmp_path / "run.lock").write_text(content)
    with locked(tmp_path):
        pass


def test_another_process_is_named_and_a_killed_one_leaves_no_obstacle(tmp_path):
    held = "import pathlib, sys, time\nfrom memorize_jax.storage.lock import locked\n"
    held += "with locked(pathlib.Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", held, tmp_path], stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout.readline() == "held\n"
            with pytest.raises(BusyError, match=f"process {other.pid} on"), locked(tmp_path):
                pass
        finally:
            other.kill()
    assert (tmp_path / "run.lock").exists()
    with locked(tmp_path):
        pass


def test_the_lock_is_let_go_when_the_work_fails(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError
    with locked(tmp_path):
        pass
