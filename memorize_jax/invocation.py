"""How a command is called: `memorize NAME` where the package is installed, `python -m experiments.NAME` in a copy."""

import pathlib
import shlex
import sys

SCRIPT, MODULE = "memorize ", "python -m experiments."


def prefix() -> str:
    """What stands before the name of a command, as this process was started."""
    started = pathlib.Path(sys.argv[0] if sys.argv else "").stem
    return SCRIPT if f"{started} ".startswith(SCRIPT) else MODULE


def command_line_of(name: str, workdir: str | pathlib.Path) -> str:
    """The line that does a command with a folder, to be copied from a message."""
    return f"{prefix()}{name} --workdir={shlex.quote(str(workdir))}"


def given_line() -> str:
    """The line with which this process was started; "" if it was not one of the project's commands."""
    # The first word of a command's own arguments is all that it was called by, see `commands.run`.
    called, *flags = sys.argv or [""]
    return " ".join([called, shlex.join(flags)]).strip() if called.startswith((SCRIPT, MODULE)) else ""
