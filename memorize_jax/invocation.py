"""How a command is called: `memorize NAME` where the package is installed, `python -m experiments.NAME` in a copy."""

import pathlib
import shlex
import sys

SCRIPT = "memorize"


def prefix() -> str:
    """What stands before the name of a command, as this process was started."""
    is_script = pathlib.Path(sys.argv[0] if sys.argv else "").stem == SCRIPT
    return f"{SCRIPT} " if is_script else "python -m experiments."


def command_line_of(name: str, workdir: str | pathlib.Path) -> str:
    """The line that does a command with a folder, to be copied from a message.

    Args:
      name: of the command.
      workdir: the folder.
    """
    return f"{prefix()}{name} --workdir={shlex.quote(str(workdir))}"


def given_line() -> str:
    """The line with which this process was started; "" if it was not one of the project's commands."""
    module = getattr(sys.modules["__main__"].__spec__, "name", "") or ""
    if module.startswith("experiments."):
        return shlex.join(["python", "-m", module, *sys.argv[1:]])
    return shlex.join([SCRIPT, *sys.argv[1:]]) if prefix() == f"{SCRIPT} " else ""
