"""Few-shot learning of a run: the table against explicit covariances of its activations."""

import shutil

import numpy as np
import pytest

from memorize_jax import open_run
from memorize_jax.activations import flat_reader, run_in_batches
from memorize_jax.analysis.examples import choose_examples
from memorize_jax.analysis.settings import GeometrySettings
from memorize_jax.data import GROUPS
from memorize_jax.measurements.driver import measure
from memorize_jax.measurements.few_shot import FewShotSettings
from memorize_jax.measurements.registry import get_measurement
from tests.measurements.few_shot.test_pairs import explicit


def test_the_table_equals_explicit_covariances(smoke_run, tmp_path):
    folder = shutil.copytree(smoke_run, tmp_path / "run")
    settings, geometry = FewShotSettings(few_shot_epochs="final"), GeometrySettings(examples_per_class=10)
    table = measure(get_measurement("few_shot"), folder, [settings, geometry])
    run = open_run(folder)
    assert len(table) == len(GROUPS) * len(run.layers) * 2
    assert (table["status"] == 0).all()
    examples = choose_examples(run.splits, run.labels, geometry, seed=0)["restored"]
    read = flat_reader(run.model(), run.statistics, tuple(run.layers)[1:])
    images = run.splits.train.images[examples.ravel()]
    shown = run_in_batches(read, run.network(run.final_epoch), images, tuple(run.layers))
    for layer in ("input", "linear5"):
        points = shown[layer].astype(float).reshape(*examples.shape, -1)
        pairs = [explicit(points[a], points[b], 5) for a in range(10) for b in range(10) if a != b]
        row = table.query("group == 'restored' and layer == @layer and num_shots == 5").iloc[0]
        for name in ("signal", "bias", "dimension", "csa", "csb", "ss"):
            assert row[name] == pytest.approx(np.mean([pair[0][name] for pair in pairs]), rel=1e-3, abs=1e-5), name
        assert row["snr_full"] == pytest.approx(np.mean([pair[2] for pair in pairs]), rel=1e-3)
        assert 0 < row["simulated_standard_error"] < 0.01
