import json
import os
import socket
import subprocess
import sys

import pytest

from memorize_jax.storage.lock import HOLDER, LOCK, BusyError, locked
from tests.commands import python


def test_the_second_is_told_who_the_first_is_and_may_enter_after_it(tmp_path):
    workdir = tmp_path / "deep" / "run"
    with locked(workdir):
        with pytest.raises(BusyError, match=f"process {os.getpid()} on {socket.gethostname()} since"), locked(workdir):
            pass
        assert json.loads((workdir / HOLDER).read_text())["pid"] == os.getpid()
    assert not list(workdir.iterdir())
    with pytest.raises(KeyError), locked(workdir):
        raise KeyError
    # Nor are files that nobody holds an obstacle.
    for content in ("", "{", '{"pid": 1, "host": "elsewhere", "since": "x", "command": "y"}'):
        for name in (LOCK, HOLDER):
            (workdir / name).write_text(content)
        with locked(workdir):
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
    assert (tmp_path / LOCK).exists()
    with locked(tmp_path):
        pass


# What Windows lacks or refuses; the packages that we use know that by themselves.
WINDOWS = """
import asyncio, contextlib, importlib, os, pathlib, pkgutil, sys
import filelock, jax, matplotlib, numpy, optax, orbax.checkpoint, pandas, psutil, scipy.stats, sklearn

for library in ("equinox", "haiku", "torch"):
    with contextlib.suppress(ImportError):
        importlib.import_module(library)
for module in ("fcntl", "resource"):
    sys.modules[module] = None
for name in ("O_NOFOLLOW", "uname", "fork", "getuid", "posix_fadvise"):
    delattr(os, name)

def refusing(function, is_refused):
    def call(path, *arguments, **options):
        if is_refused(path):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return function(path, *arguments, **options)
    return call

os.open = refusing(os.open, os.path.isdir)
os.unlink = refusing(os.unlink, lambda path: os.path.basename(path) == "run.lock")

import memorize_jax

for module in pkgutil.walk_packages(memorize_jax.__path__, "memorize_jax."):
    try:
        importlib.import_module(module.name)
    except ImportError as error:
        # Of a library that is not installed.
        assert error.name in ("equinox", "haiku") or "pip install" in str(error), module.name

from memorize_jax import analysis
from memorize_jax.storage.lock import BusyError, locked
from memorize_jax.storage.tables import GEOMETRY, read_table, write_table

points, folder = numpy.random.default_rng(0).normal(size=(3, 4, 6)), pathlib.Path(sys.argv[1])
options = {"num_draws": 5, "joint_draws": 0, "num_center_components": 0}
found = analysis.analyze(points.reshape(12, 6), numpy.repeat(range(3), 4), **options)
with locked(folder):
    rows = found.to_dataframe().to_dict("records")
    write_table(folder / "results" / "geometry.csv", rows, GEOMETRY)
    try:
        with locked(folder):
            raise SystemExit("entered twice")
    except BusyError as error:
        assert f"process {os.getpid()} on " in str(error)
assert (read_table(folder / "results" / "geometry.csv", GEOMETRY, "")["capacity"] > 0).all()
"""


def test_everything_can_be_imported_and_the_geometry_and_the_disk_work_without_what_windows_lacks(tmp_path):
    done = python("-c", WINDOWS, tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results", "run.lock"]
