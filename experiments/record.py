"""What the tables of a run were made with: so that a finished step is not done again, and can be repeated."""

import dataclasses
import functools
import json
import pathlib
import time
import zlib
from collections.abc import Callable

from memorize_jax.atomic import replacing
from memorize_jax.runs import Run
from memorize_jax.study import TABLES


def tables_of(step: str) -> tuple[str, ...]:
    """Names of the tables that the command `experiments.<step>` makes."""
    return tuple(table for table, (_, command) in TABLES.items() if command == step)


def recorded(step: str) -> Callable:
    """Decorates the function that does a step in a folder: notes in results/made.json with which settings.

    The settings are those arguments that are configs or lists. A step with an option out of the ordinary, like
    skip_damaged, is not noted: its tables may have gaps.

    Args:
      step: name of the command.

    Returns:
      A decorator of functions whose first argument is the folder.
    """

    def decorate(run):
        @functools.wraps(run)
        def noting(workdir, *arguments, **options):
            started = time.perf_counter()
            result = run(workdir, *arguments, **options)
            if not any(value is True for value in options.values()):
                _note(Run(workdir), step, (*arguments, *options.values()), time.perf_counter() - started)
            return result

        return noting

    return decorate


def is_made(folder: Run, step: str, *arguments) -> bool:
    """Whether the tables of a step are there, unchanged, made with these settings from the network as it is now.

    Args:
      folder: of the run.
      step: name of the command.
      *arguments: the configs and lists that the step would be done with.
    """
    noted, sums = read_record(folder).get(step, {}), _sums(folder, step)
    return (
        None not in sums.values()
        and noted.get("tables") == sums
        and noted.get("settings") == _settings(arguments)
        and noted.get("made_of") == _checksum(folder.metrics)
    )


def read_record(folder: Run) -> dict[str, dict]:
    """Reads what was noted about a folder: step -> settings, checksums, seconds; empty if nothing was."""
    try:
        noted = json.loads((folder.results / "made.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _note(folder, step, arguments, seconds):
    noted = {
        "settings": _settings(arguments),
        "made_of": _checksum(folder.metrics),
        "tables": _sums(folder, step),
        "seconds": round(seconds, 3),
    }
    with replacing(folder.results / "made.json") as beside:
        beside.write_text(json.dumps({**read_record(folder), step: noted}, indent=2) + "\n")


def _settings(arguments):
    found = {}
    for argument in arguments:
        if dataclasses.is_dataclass(argument):
            found |= dataclasses.asdict(argument)
    lists = [list(argument) for argument in arguments if type(argument) in (list, range)]
    return json.loads(json.dumps(found | ({"lists": lists} if lists else {})))


def _sums(folder, step):
    return {table: _checksum(folder.results / f"{table}.csv") for table in tables_of(step)}


def _checksum(path: pathlib.Path) -> str | None:
    return f"{zlib.crc32(path.read_bytes()):08x}" if path.is_file() else None
