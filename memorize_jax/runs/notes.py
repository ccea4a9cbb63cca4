"""What is noted about the tables of a folder: how each was made, and its checksum, by which a change is known."""

import json
import pathlib
from collections.abc import Mapping, Sequence

from memorize_jax.runs.folder import RunFolder, member_folders
from memorize_jax.storage.files import checksum, read_json, write_json

# Of notes that do not say `of_final`: tables whose rows depend on which epoch is the final one.
OF_FINAL = ("rewinding", "umap")


def read_notes(folder: RunFolder, *, strict: bool = True) -> dict[str, dict]:
    """Reads results/made.json of a run, or of a study of several: step -> its note, see `note_tables`.

    A damaged file raises ValueError, or counts as none if not `strict`, for those who measure anew what is not noted.
    """
    path = folder.results / "made.json"
    try:
        return _read(path) if path.is_file() else {}
    except ValueError as error:
        if strict:
            raise ValueError(f"{error}; without it, tables are measured again by their commands") from error
        return {}


def _read(path):
    notes, has_checksum = read_json(path)
    parts = {"settings": dict, "tables": dict, "seconds": (int, float)}
    for step, note in notes.items():
        is_sound = isinstance(note, dict) and all(isinstance(note.get(name), kind) for name, kind in parts.items())
        # The first version noted no command, and wrote no checksum.
        if not is_sound or not isinstance(note.get("command", ""), str) or ("command" in note and not has_checksum):
            raise ValueError(f"{path} is damaged: expected settings, tables and seconds of {step}, got {note!r:.60}")
    return notes


def note_tables(folder: RunFolder, step: str, tables: Sequence[str], **about: object) -> None:
    """Notes how the tables of a step, a command's name, were made in results/ of a run or study.

    Args:
      **about: settings, all that the step was done with; identity of the run, None if it has none; other_runs that
        were read, see `others.describe_others`; command, the line that was given or ""; seconds that it took;
        provenance, versions, device and commit. All as JSON.
    """
    note = {**about, "made_of": file_checksum(folder.metrics), "tables": _checksums(folder, tables)}
    write_json(folder.results / "made.json", {**read_notes(folder, strict=False), step: note})


def are_made(folder: RunFolder, step: str, tables: Sequence[str], **about: object) -> bool:
    """Whether the tables of a step are there, unchanged, made with what is given of the network as it is now.

    Args:
      **about: settings, identity of the run, other_runs, see `note_tables`.
    """
    note, sums = read_notes(folder, strict=False).get(step, {}), _checksums(folder, tables)
    expected = {"tables": sums, "made_of": file_checksum(folder.metrics), **json.loads(json.dumps(about))}
    return None not in sums.values() and {name: note.get(name) for name in expected} == expected


def check_table(folder: RunFolder, table: str, step: str, identity: str | None, made_by: str) -> None:
    """Raises ValueError for a table that was changed or belongs to another run; says how to make it again, `made_by`.

    The tables of a run of the first version, which has no identity, need no note.
    """
    path, note = folder.results / f"{table}.csv", read_notes(folder).get(step, {})
    if identity is None and "command" not in note:
        return
    fault = ""
    if not note:
        fault = "has no note: its command was killed before the end, or it comes from elsewhere"
    elif note["tables"].get(table) != file_checksum(path):
        fault = "was changed after it was measured, or comes from elsewhere"
    elif identity is not None and note.get("identity") != identity:
        fault = "belongs to another run"
    elif note.get("of_final", table in OF_FINAL) and note.get("made_of") != file_checksum(folder.metrics):
        fault = "was measured before training was resumed"
    elif changed := [other for other, held in note.get("other_runs", {}).items() if _is_changed(other, held)]:
        fault = f"was measured with the run in {changed[0]} before that was trained further, or replaced"
    if fault:
        raise ValueError(f"{path} {fault}; remove it, or measure it again with: {made_by}")


def check_same_settings(folders: Sequence[RunFolder], step: str) -> None:
    """Raises ValueError unless a step was done with the same settings in all folders that note it; names one."""
    noted = [(folder, note["settings"]) for folder in folders if (note := read_notes(folder).get(step))]
    for folder, held in noted[1:]:
        first, asked = noted[0]
        if different := other_settings(held, asked):
            other = f"was measured with other settings than that of {first.workdir}: {different}"
            raise ValueError(f"{step} of {folder.workdir} {other}; measure all of them again with the same")


def other_settings(held: Mapping[str, object], asked: Mapping[str, object]) -> str:
    """What of the settings of two measurements differs: "kappa=1 (there: 0)"; "" if they can be compared."""
    # Which epochs were chosen only decides which rows there are.
    names = [name for name in {**asked, **held} if not name.endswith(("_epochs", "_dynamics"))]
    different = [name for name in names if asked.get(name) != held.get(name)]
    return ", ".join(f"{name}={held.get(name)} (there: {asked.get(name)})" for name in different)


def step_of(folder: RunFolder, table: str) -> str:
    """The command that made a table, as its note says; the table's own name if there is no note."""
    notes = read_notes(folder, strict=False)
    return next((step for step, note in notes.items() if table in note["tables"]), table)


def file_checksum(path: pathlib.Path) -> str | None:
    """CRC-32 of a file; None if there is none."""
    return checksum(path.read_bytes()) if path.is_file() else None


def _is_changed(workdir, held):
    """Whether another run, or that of its seed, is no longer what it was; False where it is not at hand."""
    sums = {file_checksum(RunFolder(one).metrics) for one in (workdir, *member_folders(workdir))} - {None}
    return bool(sums) and held["made_of"] not in sums


def _checksums(folder, tables):
    return {table: file_checksum(folder.results / f"{table}.csv") for table in tables}
