"""An ensemble is a folder of runs that differ in their seed: `seed_0`, `seed_1`, ... ."""

import pathlib
import re
from collections.abc import Callable, Iterable, Sequence

import pandas as pd

from memorize_jax.runs.folder import RunFolder, member_folders
from memorize_jax.runs.members import check_members
from memorize_jax.runs.noted import read_noted
from memorize_jax.storage.files import replacing

# More are a mistake rather than a wish.
MOST_SEEDS = 1000
# Tables that a report makes, also of a single run; they are as old as the report.
OF_REPORT = ("claims", "over_seeds")


def parse_seeds(text: str) -> list[int]:
    """Reads numbers and ranges with commas between them, e.g. "0-9" or "0,3,7-8"; the seeds in order, each once."""
    seeds = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", part)
        if not found or int(found[2] or found[1]) < int(found[1]):
            raise ValueError(f"expected seeds like 0-9 or 0,3,7-8, got {text!r}")
        first, last = int(found[1]), int(found[2] or found[1])
        if last - first >= MOST_SEEDS:
            raise ValueError(f"expected at most {MOST_SEEDS} seeds, got {part.strip()}")
        seeds.update(range(first, last + 1))
    return sorted(seeds)


def seed_folder(workdir: str | pathlib.Path, seed: int) -> pathlib.Path:
    """The folder of one seed's run."""
    return RunFolder(workdir).workdir / f"seed_{seed}"


def for_each(
    workdir: str | pathlib.Path,
    step: Callable[[str | pathlib.Path], object],
    tables: tuple[str, ...] = (),
    seeds: Sequence[int] = (),
) -> None:
    """Does a step in a run's folder, or in those of an ensemble's `seeds` (all if empty); puts its tables together.

    These are names of files in results/ with a column `seed`.
    """
    asked = _asked(workdir, seeds)
    if asked:
        check_members({folder: read_noted(RunFolder(folder)) for folder in member_folders(workdir)})
    for folder in asked or [workdir]:
        step(folder)
    combine(workdir, tables, seeds)


def combine(workdir: str | pathlib.Path, tables: Iterable[str], seeds: Sequence[int] = ()) -> None:
    """Puts the tables of an ensemble's runs together, if all that are asked for have one; see `for_each`."""
    results = [RunFolder(folder).results for folder in _asked(workdir, seeds)]
    for name in tables:
        if results and all((one / name).is_file() for one in results):
            combined = pd.concat([pd.read_csv(one / name) for one in results], ignore_index=True)
            with replacing(RunFolder(workdir).results / name) as beside:
                combined.to_csv(beside, index=False)


def forget_combined(member: RunFolder) -> None:
    """Removes the tables that were put together of a run and the other seeds of its ensemble: it is trained further.

    They are made anew by the commands that measure; until then those of before would pass for those of all seeds.
    """
    ensemble = RunFolder(member.workdir.parent)
    members = [RunFolder(folder).results for folder in member_folders(ensemble.workdir)]
    if member.results not in members:
        return
    for path in ensemble.results.glob("*.csv"):
        if path.stem not in OF_REPORT and any((results / path.name).is_file() for results in members):
            path.unlink()


def _asked(workdir, seeds):
    asked = [seed_folder(workdir, seed) for seed in seeds]
    return [folder for folder in member_folders(workdir) if folder in asked or not asked]
