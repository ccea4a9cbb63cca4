"""A run is a folder: where things are in it, and what it says about itself."""

import dataclasses
import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
import zipfile
import zlib

import jax
import numpy as np

from memorize_jax.atomic import replacing
from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "jaxopt", "numpy")


class Run:
    """Paths of a run folder.

    Args:
      workdir: the folder.
    """

    def __init__(self, workdir: str | pathlib.Path):
        self.workdir = pathlib.Path(workdir).expanduser()
        self.config = self.workdir / "config.json"
        # A sweep's table of its runs; no run has one.
        self.sweep = self.workdir / "runs.csv"
        self.labels = self.workdir / "labels.npz"
        self.metrics = self.workdir / "metrics.csv"
        self.restores = self.workdir / "restores.csv"
        self.events = self.workdir / "tensorboard"
        self.checkpoints = self.workdir / "checkpoints"
        self.results = self.workdir / "results"
        self.figures = self.workdir / "figures"
        self.report = self.workdir / "report.html"


def member_folders(workdir: str | pathlib.Path) -> list[pathlib.Path]:
    """The runs of an ensemble, its folders `seed_0`, `seed_1`, ... in the order of their seeds.

    Empty for a folder that is a run itself, or nothing.
    """
    folder = Run(workdir)
    if folder.config.is_file():
        return []
    found = [path for path in folder.workdir.glob("seed_*") if Run(path).config.is_file()]
    return sorted((path for path in found if path.name[5:].isdecimal()), key=lambda path: int(path.name[5:]))


def check_writable(workdir: pathlib.Path) -> None:
    """Raises OSError, saying why, unless files can be made under `workdir`; makes nothing."""
    nearest = _nearest_folder(workdir)
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise PermissionError(f"workdir {workdir}: no permission to write in {nearest}")


def _nearest_folder(workdir):
    nearest = workdir.absolute()
    while not nearest.exists():
        nearest = nearest.parent
    if not nearest.is_dir():
        raise NotADirectoryError(f"workdir {workdir}: {nearest} is not a folder")
    return nearest


def check_no_sweep(workdir: str | pathlib.Path) -> None:
    """Raises ValueError if the folder holds a sweep, in which no run can be made or read; names one of its runs."""
    run = Run(workdir)
    if not run.sweep.is_file():
        return
    if run.config.is_file():
        raise ValueError(
            f"{run.workdir} holds a run (config.json) and a sweep (runs.csv); move one of them to another folder"
        )
    found = [*run.workdir.glob("*/config.json"), *run.workdir.glob("*/seed_*/config.json")]
    folders = sorted(path.relative_to(run.workdir).parts[0] for path in found)
    example = f"e.g. {run.workdir / folders[0]}" if folders else "once there are some"
    raise ValueError(f"{run.workdir} holds a sweep; give one of its runs as --workdir, {example}")


def check_same_run(run: Run, config: RunConfig) -> None:
    """Raises ValueError if the folder holds a sweep, or a run with another configuration; names what differs."""
    check_no_sweep(run.workdir)
    if not run.config.is_file():
        return
    held, asked = read_config(run).identity(), config.identity()
    different = [f"{name}={held[name]} (asked: {asked[name]})" for name in asked if held[name] != asked[name]]
    if different:
        raise ValueError(
            f"workdir {run.workdir} holds a run with {', '.join(different)}; "
            "choose another --workdir or the same settings"
        )


def read_config(run: Run) -> RunConfig:
    """Reads the configuration of a run.

    Raises:
      FileNotFoundError: the folder holds no run; says what it holds instead, or how to make one.
      NotADirectoryError: it is no folder.
      ValueError: it holds a sweep, or config.json is not one of ours.
    """
    _nearest_folder(run.workdir)
    check_no_sweep(run.workdir)
    if not run.config.is_file():
        raise FileNotFoundError(f"no run in {run.workdir} (no config.json); {_instead(run)}")
    try:
        fields = json.loads(run.config.read_text())["config"]
        # What is not there is not known: a default would be a guess.
        missing = [name for name in RunConfig().identity() if name not in fields]
        if missing:
            raise ValueError(f"no {', '.join(missing)}")
        config = RunConfig(**fields)
        config.validate()
        return config
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{run.config}: expected the configuration of a run, got {error!r}") from error


def _instead(run):
    """What to do about a folder that holds no run."""
    if (run.results / "geometry.csv").is_file() and (run.figures / "geometry.svg").is_file():
        made = "results/geometry.csv and figures/geometry.svg"
        return f"it holds results of experiments.geometry --points, from which only {made} are made"
    if (above := Run(run.workdir.parent)).sweep.is_file():
        sweep = f"python -m experiments.sweep --workdir={above.workdir} and the flags of the sweep"
        return f"it is of the sweep in {above.workdir}, which goes on with: {sweep}"
    return f"train one with: python -m experiments.train --workdir={run.workdir}"


def write_config(run: Run, config: RunConfig) -> None:
    """Writes the configuration with versions, device and commit."""
    run.workdir.mkdir(parents=True, exist_ok=True)
    content = {"config": dataclasses.asdict(config), "provenance": provenance()}
    with replacing(run.config) as beside:
        beside.write_text(json.dumps(content, indent=2) + "\n")


def read_provenance(run: Run) -> dict:
    """Reads what `write_config` noted about versions, device and commit; empty if nothing was noted."""
    return json.loads(run.config.read_text()).get("provenance") or {}


def provenance() -> dict:
    """Collects package versions, Python, device and the commit of the source tree."""
    here = pathlib.Path(__file__).parent
    asked = subprocess.run(["git", "-C", here, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    devices = jax.devices()
    return {
        "memorize_jax": importlib.metadata.version("memorize_jax"),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "device": f"{len(devices)} x {devices[0].device_kind}",
        "commit": asked.stdout.strip() or "unknown",
    }


def write_labels(run: Run, labels: PermutedLabels, config: RunConfig) -> None:
    """Writes the training labels, true and assigned, with the seed and mode that made them."""
    run.workdir.mkdir(parents=True, exist_ok=True)
    with replacing(run.labels) as beside:
        np.savez(beside, **labels._asdict(), seed=config.seed, mode=np.array(config.permutation))


def read_labels(run: Run) -> PermutedLabels:
    """Reads the training labels.

    Raises:
      FileNotFoundError: the run has none.
      ValueError: labels.npz is damaged.
    """
    if not run.labels.is_file():
        raise FileNotFoundError(f"no labels.npz in {run.workdir}; train the run again")
    try:
        with open(run.labels, "rb") as stream, np.load(stream, allow_pickle=False) as content:
            return PermutedLabels(content["assigned"], content["true"], content["is_permuted"])
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{run.labels}: expected the labels of a run, got {error!r}") from error
