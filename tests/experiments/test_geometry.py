"""What the command says: one line for each thing that went wrong, and what was measured."""

import dataclasses
import shutil

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from experiments import geometry
from experiments.configs import GeometryConfig
from memorize_jax.geometry import status

LABELS = np.repeat(np.arange(4), [4, 6, 6, 6])
CONFIG = GeometryConfig(examples_per_class=None, num_draws=20, num_center_components=0)


def test_a_dead_layer_and_what_was_taken_are_said(tmp_path, capsys):
    good = np.random.default_rng(0).normal(size=(22, 8))
    np.savez(tmp_path / "own.npz", labels=LABELS, good=good, relu7=0 * good)
    table = geometry.run_on_points(tmp_path / "own.npz", tmp_path / "out", CONFIG, seed=0)
    said = capsys.readouterr()
    assert said.err.startswith("warning: layer 'relu7', classes 0, 1, 2, 3: its centre")
    assert said.err.count("\n") == 1
    assert said.out == "measured on all 4 to 6 examples of each of 4 classes\n"
    rows = pd.read_csv(table).set_index("layer")
    assert (rows.loc["relu7", "status"] > 0, rows.loc["relu7", "num_valid_classes"]) == (True, 0)
    assert (rows.loc["good", "status"], rows.loc["good", "num_valid_classes"]) == (0, 4)


@pytest.mark.slow
def test_troubles_of_a_run_are_said_with_epoch_and_group(smoke_run, tmp_path, monkeypatch, capsys):
    shutil.copytree(smoke_run, tmp_path / "run")
    measure = geometry.compiled_network_geometry

    def troubled(*arguments, **options):
        found = measure(*arguments, **options)
        return dataclasses.replace(found, status=jnp.asarray(found.status).at[1, 2].set(status.NOT_CONVERGED))

    monkeypatch.setattr(geometry, "compiled_network_geometry", troubled)
    config = dataclasses.replace(CONFIG, geometry_epochs="0", examples_per_class=5)
    geometry.run(tmp_path / "run", config)
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning: " in line]
    assert len(lines) == 4
    for line, group in zip(lines, ("unpermuted", "permuted", "restored", "test"), strict=True):
        assert f"warning: epoch 0, {group}: layer 'linear1', class 2: its quadratic programs did not converge" in line
