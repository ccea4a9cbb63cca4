"""Steps of the campaign on one run, whose folder they share: training until labels are memorized, then measurements."""

import dataclasses
import pathlib
import time
from collections.abc import Mapping
from typing import Any

from memorize_jax.measurements.driver import measure
from memorize_jax.measurements.registry import get_measurement
from memorize_jax.presets import get_preset, noted_preset
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.metrics import stored_rows
from memorize_jax.runs.noted import read_noted
from memorize_jax.runs.train import train_run

Records = list[dict[str, Any]]
FOLDER = "run"


def memorize(workdir: pathlib.Path, *, preset: str, epochs: int, dtype: str) -> Records:
    """Trains a preset for some epochs, every one stored; a run that was begun goes on."""
    chosen = get_preset(preset)
    config = dataclasses.replace(chosen.run, epochs=epochs, dtype=dtype)
    started = time.perf_counter()
    train_run(workdir / FOLDER, config, plan=chosen.plan())
    rows = stored_rows(RunFolder(workdir / FOLDER))
    last, seconds = rows[-1], [row["seconds"] for row in rows[2:] or rows]
    accuracies = {name.replace("_", " "): value for name, value in last.items() if name.endswith("accuracy")}
    about = {"what": f"training in {dtype}, {len(rows) - 1} epochs", "s": time.perf_counter() - started}
    return [about | {"s an epoch": sum(seconds) / len(seconds), "result": _text({"loss": last["loss"], **accuracies})}]


def measured(workdir: pathlib.Path, *, measurement: str, settings: Mapping[str, Any]) -> Records:
    """Measures that run, with the settings of its preset but for these."""
    folder, one = workdir / FOLDER, get_measurement(measurement)
    preset = noted_preset(read_noted(RunFolder(folder))).replace(measurement, **settings)
    started = time.perf_counter()
    found = measure(one, folder, preset.of_all(one))
    about = {"what": f"{measurement}, {_text(settings)}", "s": time.perf_counter() - started, "s an epoch": None}
    return [about | {"result": f"{len(found)} rows"}]


def _text(values: Mapping[str, Any]) -> str:
    number = lambda value: f"{value:.3g}" if isinstance(value, float) else str(value)
    return ", ".join(f"{name} {number(value)}" for name, value in values.items())
