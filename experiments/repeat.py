"""The commands that make a study again: those that were noted when it was made."""

import pathlib
import shlex

from memorize_jax.runs.folder import Run, runs_in
from memorize_jax.runs.noted import read_noted
from memorize_jax.runs.notes import read_notes


def commands(workdir: str | pathlib.Path) -> list[str]:
    """Command lines, in order and each once, that made a study, as they were given; empty if none was noted."""
    folders = runs_in(workdir)
    trained = [line for folder in folders for line in read_noted(folder).commands]
    places = dict.fromkeys([*(folder.workdir for folder in folders), Run(workdir).workdir])
    measured = [note.get("command") for place in places for note in read_notes(Run(place)).values()]
    lines = list(dict.fromkeys(filter(None, [*trained, *measured])))
    report = f"python -m experiments.report --workdir={shlex.quote(str(workdir))}"
    return [*lines, *([report] if lines and not any("experiments.reproduce" in line for line in lines) else [])]
