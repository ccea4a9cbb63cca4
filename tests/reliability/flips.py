"""Flips one bit at a time in every file that is read of a finished run, and sees what its readers say."""

import collections
import pathlib
import random

import pandas as pd

from memorize_jax.commands.report import commands
from memorize_jax.measurements.registry import open_study
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.noted import read_noted
from memorize_jax.runs.run import run_to_measure
from tests.reliability.damage import flip


def read_everything(workdir: pathlib.Path, splits) -> dict:
    """All that figures, claims, reports and analyses take from a run's folder."""
    study = open_study(workdir)
    with run_to_measure(workdir, splits) as run:
        held = {"labels": b"".join(part.tobytes() for part in run.labels), "noted": read_noted(run.folder)}
        held["metrics"] = run.metrics.to_csv()
    return held | {"commands": commands(study)} | {name: table.to_csv() for name, table in study.tables.items()}


def read_files(workdir: pathlib.Path) -> list[pathlib.Path]:
    """The files of a run that its readers read, but for the checkpoints, which have checksums of their own."""
    run = RunFolder(workdir)
    tables = [path for path in sorted(run.results.glob("*.csv")) if path.stem not in ("claims", "over_seeds")]
    return [run.config, run.labels, run.metrics, run.workdir / "metrics.json", run.results / "made.json", *tables]


def flip_all(workdir: pathlib.Path, splits, *, count: int, rng: random.Random) -> pd.DataFrame:
    """Flips `count` bits of each file of a finished run, one at a time, and counts for each file what came of it.

    That is an error (one clear sentence that names the file), the same (nothing that is read has changed), silent (it
    has), or a traceback.
    """
    expected, rows = read_everything(workdir, splits), []
    for path in read_files(workdir):
        content, counts = path.read_bytes(), collections.Counter()
        for _ in range(count):
            path.write_bytes(flip(content, rng))
            try:
                counts["same" if read_everything(workdir, splits) == expected else "silent"] += 1
            except (ValueError, OSError) as error:
                counts["error" if path.name in str(error) and "\n" not in str(error) else "traceback"] += 1
            except Exception:
                counts["traceback"] += 1
            finally:
                path.write_bytes(content)
        rows.append({"file": path.name, **{name: counts[name] for name in ("error", "same", "silent", "traceback")}})
    return pd.DataFrame(rows)
