import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import memorize_jax
from tests.commands import ROOT
from tests.watching.made import LIBRARIES
from tests.watching.victim import EPOCHS

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def start(library, folder):
    command = [sys.executable, "-m", "tests.watching.victim", library, str(folder)]
    return subprocess.Popen(
        command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(library, folder):
    done = start(library, folder)
    _, errors = done.communicate(timeout=120)
    assert done.returncode == 0, errors


@pytest.mark.slow
@pytest.mark.parametrize("library", ["nnx", "equinox", "torch"])
def test_a_loop_that_is_killed_anywhere_ends_as_one_that_was_not(library, tmp_path):
    LIBRARIES[library]()
    finish(library, tmp_path / "whole")
    rng = np.random.default_rng(len(library))
    for _ in range(4):
        victim = start(library, tmp_path / "killed")
        # So many epochs are finished, and something of the next.
        for _ in range(int(rng.integers(1, 4))):
            if not victim.stdout.readline():
                break
        try:
            victim.wait(timeout=float(rng.uniform(0, 0.05)))
        except subprocess.TimeoutExpired:
            victim.send_signal(signal.SIGKILL)
        victim.communicate()
    finish(library, tmp_path / "killed")
    whole, killed = (memorize_jax.open_run(tmp_path / name) for name in ("whole", "killed"))
    without_time = lambda run: run.metrics.drop(columns="seconds")
    pd.testing.assert_frame_equal(without_time(killed), without_time(whole))
    assert killed.stored_epochs == whole.stored_epochs == list(range(EPOCHS))
    for epoch in range(EPOCHS):
        one, other = (run.network(epoch) for run in (whole, killed))
        for module, leaves in one["params"].items():
            for name, leaf in leaves.items():
                np.testing.assert_array_equal(other["params"][module][name], leaf)
