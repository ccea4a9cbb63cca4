"""What must be the same, byte for byte, whether or not a run was disturbed."""

import pathlib

import numpy as np
import pandas as pd

from memorize_jax.runs.folder import RunFolder, runs_in


def outcome(workdir: pathlib.Path) -> dict:
    """Name -> bytes of everything a run leaves that does not tell the time.

    Left out are the column `seconds` of metrics.csv and Orbax's own files, which hold times of day; what is in the
    array files is compared as it stands on disk.
    """
    run = RunFolder(workdir)
    found = {}
    if run.metrics.is_file():
        table = pd.read_csv(run.metrics, dtype=str, keep_default_na=False)
        found["metrics"] = table.drop(columns="seconds").to_csv().encode()
    if run.labels.is_file():
        with np.load(run.labels, allow_pickle=False) as content:
            found["labels"] = b"".join(content[name].tobytes() for name in sorted(content))
    states = [path for path in (run.checkpoints / "resume").glob("*") if path.name.isdecimal()]
    states.sort(key=lambda path: int(path.name))
    for folder in (*run.checkpoints.glob("epochs*/*"), *states[-1:]):
        found |= {str(path.relative_to(workdir)): path.read_bytes() for path in folder.glob("*/*")}
    # Claims that cannot be tested say which command would make the table, in this folder.
    here = str(workdir).encode()
    found |= {path.name: path.read_bytes().replace(here, b"WORKDIR") for path in run.results.glob("*.csv")}
    # Names alone show what was left behind.
    for path in workdir.rglob("*"):
        if any(part in path.name for part in (".new", ".old", ".tmp", ".partial", ".lock", "orbax-checkpoint-tmp")):
            found[f"left behind: {path.relative_to(workdir)}"] = b""
    return found


def outcome_of_all(workdir: pathlib.Path) -> dict:
    """Name -> bytes of every run in a folder, and of the tables over all of them."""
    here = str(workdir).encode()
    tables = (workdir / "results").glob("*.csv")
    found = {f"results/{path.name}": path.read_bytes().replace(here, b"WORKDIR") for path in tables}
    found |= {path.name: path.read_bytes() for path in workdir.glob("runs.csv")}
    for run in runs_in(workdir):
        own = outcome(run.workdir)
        found |= {f"{run.workdir.relative_to(workdir)}/{name}": content for name, content in own.items()}
    return found


def differences(found: dict, expected: dict) -> list[str]:
    """Names that are not the same in two outcomes."""
    return sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
