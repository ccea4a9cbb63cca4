"""How a command is called: `memorize NAME` where the package is installed, `python -m experiments.NAME` in a copy."""

import pathlib
import shlex
import sys

SCRIPT, MODULE = "memorize ", "python -m experiments."
# Of a copy of the repository; beside an installed package there are none.
DOORS = pathlib.Path(__file__).parent.parent / "experiments"


def called(name: str) -> str:
    """How a command is called: as this process was started, and by the script where there is no door for it."""
    started = pathlib.Path(sys.argv[0] if sys.argv else "").stem
    has_door = (DOORS / f"{name}.py").is_file()
    return f"{MODULE}{name}" if has_door and not f"{started} ".startswith(SCRIPT) else f"{SCRIPT}{name}"


def command_line_of(name: str, workdir: str | pathlib.Path) -> str:
    """The line that does a command with a folder, to be copied from a message."""
    return f"{called(name)} --workdir={shlex.quote(str(workdir))}"


def given_line() -> str:
    """The line with which this process was started; "" if it was not one of the project's commands."""
    # The first word of a command's own arguments is all that it was called by, see `commands.run`.
    first, *flags = sys.argv or [""]
    return " ".join([first, shlex.join(flags)]).strip() if first.startswith((SCRIPT, MODULE)) else ""
