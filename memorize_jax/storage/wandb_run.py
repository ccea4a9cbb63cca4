"""Metrics for Weights & Biases, offline unless its user asks for the network; sole owner of wandb."""

import contextlib
import importlib.util
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from memorize_jax.storage.curves import About, ended, points

PROJECT = "memorize_jax"
# Unless the environment says otherwise: links and lines of its own have no place in a run, nor does a report of errors
# to W&B; and training does not wait for ever for a network that is gone.
SETTINGS: dict[str, Any] = {
    **{"silent": True, "console": "off", "symlink": False},
    **{"init_timeout": 30.0, "finish_timeout": 60.0, "finish_timeout_raises": True},
}
QUIET = {"WANDB_ERROR_REPORTING": "false"}


def check_installed() -> None:
    """Raises ValueError, saying how to install it, unless wandb is there."""
    if importlib.util.find_spec("wandb") is None:
        raise ValueError("--wandb needs wandb: pip install 'memorize_jax[wandb]'")


def mode() -> str:
    """What WANDB_MODE says; without it no network is used."""
    asked = os.environ.get("WANDB_MODE") or "offline"
    return {"dryrun": "offline", "run": "online"}.get(asked, asked)


def place(folder: pathlib.Path) -> str:
    """Where the run is logged, as text; "" if what was written offline is not there."""
    if mode() == "offline" and not any(_files(folder).glob("offline-run-*/*.wandb")):
        return ""
    return " ".join([mode(), *(os.environ.get(f"WANDB_{name}", "") for name in ("BASE_URL", "ENTITY", "PROJECT"))])


def hint(folder: pathlib.Path, about: About) -> str:
    """How to upload what was logged offline."""
    runs = _files(folder) / f"offline-run-*-{about.id}"
    return f"W&B is offline (WANDB_MODE=online uploads at once); upload with: wandb sync {runs}" * (mode() == "offline")


def _files(folder):
    above = os.environ.get("WANDB_DIR")
    return pathlib.Path(above) / "wandb" if above else folder


@contextlib.contextmanager
def opened(folder: pathlib.Path, rows: Sequence[dict], about: About) -> Iterator[Callable[..., None]]:
    """Opens the run of W&B with the id of `about`, or goes on with it; the step of an epoch is its number.

    Offline the run is written anew from `rows`, those of metrics.csv so far, so that one folder holds each epoch once,
    for `wandb sync` to upload once training has ended. Online those rows are logged that the run lacks.
    Yields a function that takes the rows of further epochs. `folder` has the name that W&B gives its own, wandb.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import wandb  # pyright: ignore[reportMissingImports] (an option)

    files, is_offline = _files(folder), mode() == "offline"
    if is_offline:
        for old in files.glob(f"offline-run-*-{about.id}"):
            shutil.rmtree(old)
    own = {name: value for name, value in SETTINGS.items() if f"WANDB_{name.upper()}" not in os.environ}
    own["mode"] = mode()
    run = wandb.init(
        dir=files.parent,
        project=os.environ.get("WANDB_PROJECT") or PROJECT,
        id=about.id,
        name=os.environ.get("WANDB_NAME") or about.name,
        group=os.environ.get("WANDB_RUN_GROUP") or about.group,
        config={**about.config, **about.notes},
        allow_val_change=True,
        resume=None if is_offline else "allow",
        reinit="create_new",
        settings=wandb.Settings(**own),
    )

    def add(*rows):
        for row, moment in zip(rows, ended(rows), strict=True):
            if row["epoch"] >= run.starting_step:
                run.log({**points(row), "_timestamp": moment}, step=int(row["epoch"]), commit=True)

    code = 1
    try:
        # The core makes this link, whatever the settings are; a run's folder has none.
        for link in files.glob("*run-*/logs/debug-core.log"):
            link.unlink(missing_ok=True)
        add(*rows)
        yield add
        code = 0
    finally:
        run.finish(exit_code=code)
