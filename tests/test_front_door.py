"""`import memorize_jax`: the public names, without JAX's start."""

import importlib.util
import subprocess
import sys

import pytest

import memorize_jax

LIGHT = """
import sys, time
started = time.perf_counter()
import memorize_jax
print(time.perf_counter() - started, *sorted({"jax", "flax", "numpy", "pandas", "matplotlib"} & set(sys.modules)))
"""


def test_importing_it_starts_nothing():
    printed = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True).stdout.split()
    assert printed[1:] == []
    assert float(printed[0]) < 0.3


def test_every_public_name_is_there():
    expected = {"__version__", "analyze", "find_label_errors", "open_run", "train", "geometry", "data", "models"}
    assert expected | {"measurements"} <= set(dir(memorize_jax))
    missing = {"torch"} if importlib.util.find_spec("torch") is None else set()
    for name in set(memorize_jax.__all__) - missing:
        assert getattr(memorize_jax, name) is not None
    assert memorize_jax.geometry.__name__ == "memorize_jax.geometry"
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = memorize_jax.nothing


def test_training_gives_an_opened_run(tmp_path):
    config = memorize_jax.RunConfig(dataset="digits", num_train=200, width=8, epochs=1)
    run = memorize_jax.train(config, tmp_path / "run")
    assert (run.final_epoch, run.config) == (1, config)
