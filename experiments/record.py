"""Notes what the tables of a run were made with: so that a finished step is not done again, and can be repeated."""

import dataclasses
import functools
import time
from collections.abc import Callable

from memorize_jax.runs.folder import Run
from memorize_jax.runs.noted import read_noted
from memorize_jax.runs.notes import are_made, note_tables, read_notes
from memorize_jax.runs.provenance import command_line, provenance
from memorize_jax.studies.study import TABLES


def tables_of(step: str) -> tuple[str, ...]:
    """Names of the tables that the command `experiments.<step>` makes."""
    return tuple(table for table, (_, command) in TABLES.items() if command == step)


def recorded(step: str) -> Callable:
    """Decorates the function that does a step in a folder: notes in results/made.json how its tables were made.

    Its settings are those arguments that are configs or lists, and switches that are on.

    Args:
      step: name of the command.

    Returns:
      A decorator of functions whose first argument is the folder.
    """

    def decorate(run):
        @functools.wraps(run)
        def noting(workdir, *arguments, **options):
            started, folder = time.perf_counter(), Run(workdir)
            switches = [name for name, value in options.items() if value is True]
            result = run(workdir, *arguments, **options)
            note_tables(
                folder,
                step,
                tables_of(step),
                settings=_settings([*arguments, *options.values()], switches),
                identity=identity_in(folder),
                command=command_line(),
                seconds=round(time.perf_counter() - started, 3),
                provenance=provenance(),
            )
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
    return are_made(folder, step, tables_of(step), settings=_settings(arguments), identity=identity_in(folder))


def read_record(folder: Run) -> dict[str, dict]:
    """What was noted about the steps done in a folder; a damaged note counts as none."""
    return read_notes(folder, strict=False)


def identity_in(folder: Run) -> str | None:
    """The identity of the run in a folder; None in the folder of several runs."""
    return read_noted(folder).identity if folder.config.is_file() else None


def _settings(arguments, switches=()):
    found = {}
    for argument in arguments:
        if dataclasses.is_dataclass(argument):
            found |= dataclasses.asdict(argument)
    lists = [list(argument) for argument in arguments if type(argument) in (list, range)]
    return found | ({"lists": lists} if lists else {}) | dict.fromkeys(switches, True)
