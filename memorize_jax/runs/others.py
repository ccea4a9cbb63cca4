"""Other runs that a measurement of a run reads, e.g. its twin without permuted labels."""

import pathlib
from collections.abc import Sequence

from memorize_jax.runs.folder import RunFolder, member_folders
from memorize_jax.runs.noted import read_noted
from memorize_jax.runs.notes import file_checksum


def other_folder(workdir: str | pathlib.Path, seed: int) -> RunFolder:
    """The run in a folder; of an ensemble the run of this seed. Raises ValueError if it has none."""
    members = {path.name: path for path in member_folders(workdir)}
    if members and f"seed_{seed}" not in members:
        raise ValueError(f"expected a run of seed {seed} in {workdir}, got {', '.join(members)}")
    return RunFolder(members.get(f"seed_{seed}", workdir))


def describe_others(workdirs: Sequence[str], seed: int) -> dict[str, dict]:
    """What is noted of other runs beside a table: their folder -> identity, and checksum of their metrics.

    Raises ValueError or FileNotFoundError, as `read_noted`, if there is no such run.
    """
    folders = {workdir: other_folder(workdir, seed) for workdir in workdirs}
    return {
        workdir: {"identity": read_noted(folder).identity, "made_of": file_checksum(folder.metrics)}
        for workdir, folder in folders.items()
    }
