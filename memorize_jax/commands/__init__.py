"""The command line: `memorize NAME --flags`, and `python -m experiments.NAME --flags`, which is the same."""

import importlib
import sys
from typing import NamedTuple

from memorize_jax import interruption
from memorize_jax.invocation import MODULE, called


class Command(NamedTuple):
    """A command; its module has usage as docstring, `define()` of its flags, and `main()`, "" for a measurement."""

    summary: str
    module: str = ""


def commands() -> dict[str, Command]:
    """Name -> Command, of all there are; a measurement has one of its own without being listed here."""
    from memorize_jax.measurements.registry import measurements

    measured = {name: Command(one.summary) for name, one in measurements().items() if one.measures and not one.axes}
    return {
        "reproduce": Command("Makes a whole study: trains, measures, draws, judges, reports", "reproduce"),
        "train": Command("Trains a network on partly permuted labels and stores every epoch", "train"),
        **measured,
        # The geometry of a file of activations has flags of its own.
        "geometry": measured["geometry"]._replace(module="geometry"),
        "double_descent": Command("Trains and measures networks of growing width (figures 4C to 4E)", "double_descent"),
        "sweep": Command("Trains and measures every combination of settings and seeds", "sweep"),
        "figures": Command("Draws figures from the tables of a study", "figures"),
        "claims": Command("Judges the paper's statements by the tables of a study", "claims"),
        "report": Command("Writes one self-contained page on a study, or on several side by side", "report"),
    }


def listing() -> str:
    """The commands, one line each, as this process calls them."""
    known = {called(name): command.summary for name, command in commands().items()}
    wide = max(map(len, known))
    lines = [f"  {line:{wide}}  {summary}" for line, summary in known.items()]
    return "\n".join([*lines, "", "Flags of one: with --help"])


def run(name: str) -> None:
    """Runs a command with the flags in `sys.argv`; ends the process with exit code 1 after an error."""
    from memorize_jax.commands import cli

    command = commands()[name]
    # As it can be typed: shown by --help, and noted beside what is made.
    sys.argv[0] = called(name)
    if command.module:
        module = importlib.import_module(f"memorize_jax.commands.{command.module}")
        define, main, usage = module.define, module.main, module.__doc__
        first = getattr(module, "first", lambda: None)
    else:
        from memorize_jax.commands import measure
        from memorize_jax.measurements.registry import get_measurement

        measurement = get_measurement(name)
        define, main = lambda: cli.flags_of_measurement(measurement), lambda: measure.main(measurement)
        usage, first = importlib.import_module(measurement.room).__doc__, lambda: None
    # What absl prints for --help.
    sys.modules["__main__"].__doc__ = (usage or "").replace(f"{MODULE}{name}", called(name))
    cli.start(main, define, first)


def main() -> None:
    """Runs `memorize NAME --flags`; without a name lists the commands."""
    interruption.end_at_once()
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("--help", "-h"):
        print(listing())
    elif name in commands():
        del sys.argv[1]
        run(name)
    else:
        print(f"error: expected a command, got {name!r}; they are:\n{listing()}", file=sys.stderr)
        sys.exit(1)
