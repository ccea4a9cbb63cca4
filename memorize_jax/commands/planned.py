"""What is to be done of a study, how long it may take, and how much memory: said before anything is begun."""

import dataclasses
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import jax

from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels, Splits
from memorize_jax.invocation import command_line_of
from memorize_jax.measurements import costs
from memorize_jax.measurements.driver import is_measured
from memorize_jax.measurements.measurement import Measurement
from memorize_jax.memory import available_bytes, check_fits, readable
from memorize_jax.presets import Preset
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.metrics import stored_rows
from memorize_jax.runs.notes import read_notes
from memorize_jax.runs.others import describe_others
from memorize_jax.storage.checkpoints import StoredEpochs
from memorize_jax.studies.earlier import has_asked, has_ended
from memorize_jax.threads import num_cores

# Estimated seconds of a study that a second process makes shorter: a longer one is mostly work that takes all cores.
SECOND_PROCESS_SECONDS = 60, 1200
ADVICE = "lower --num_draws, --examples_per_class or --max_classes, --num_train, --batch_size or --width"


class Planned(NamedTuple):
    """What is to be done about the training, "train", or about a measurement; None where nothing is known.

    Attributes:
      state: what is there already, or why it is left out.
      at_most: whether it may end sooner.
      bytes: of memory that it takes at its peak.
      command: that makes it, of what is done only on request; "" for all else.
    """

    name: str
    state: str
    todo: bool
    seconds: float | None = None
    at_most: bool = False
    bytes: float | None = None
    command: str = ""

    def line(self, wide: int) -> str:
        """As it is printed, its name `wide` characters wide."""
        bound = "at most " if self.at_most else ""
        memory = "" if self.bytes is None else f", peak {readable(int(self.bytes))}"
        then = f"runs, {bound}{about(self.seconds)}{memory}" if self.todo else "left as it is"
        if self.command:
            then = f"only on request, {about(self.seconds)}{memory}: {self.command}"
        return f"  {self.name:{wide}}  {self.state}: {then}"


def about(seconds: float | None) -> str:
    """A duration in words."""
    if seconds is None:
        return "for a time that is not known"
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 1.5 * size:
            return f"about {seconds / size:.0f} {unit}"
    return f"about {max(seconds, 1):.0f} s"


def check_measurements(
    wanted: Sequence[Measurement], folders: Sequence[RunFolder], preset: Preset, prepared: tuple[Splits, PermutedLabels]
) -> None:
    """Raises ValueError for what can be known to be wrong with settings now, before hours of training."""
    stored = [stored_rows(folder) for folder in folders]
    # Of a run that has ended the epochs that it has, else those that it may have at most.
    last = min(len(rows) - 1 if has_ended(preset.run, rows) else preset.run.epochs for rows in stored)
    for one in wanted:
        settings = preset.of_all(one)
        one.check(preset.run, *prepared, *settings)
        describe_others(one.other_runs(*settings), preset.run.seed)
        for name, choice in dataclasses.asdict(settings[0]).items() if one.settings else ():
            numbers = [item.strip() for item in choice.split(",")] if name.endswith("_epochs") else []
            for number in filter(str.isdecimal, numbers):
                if int(number) > last:
                    raise ValueError(f"expected {name} of at most {last}, the last epoch of the run, got {number}")


def is_trained(runs: Mapping[RunFolder, RunConfig]) -> bool:
    """Whether no epoch of some runs is left to train."""
    rows = {folder: stored_rows(folder) for folder in runs}
    # A process that is killed between the last row and its network, or the state, leaves the row.
    is_stored = lambda folder, own: not StoredEpochs(folder.checkpoints).ends_before(len(own) - 1)
    return all(has_ended(runs[folder], own) and is_stored(folder, own) for folder, own in rows.items())


def plan_training(runs: Mapping[RunFolder, RunConfig], work: costs.Workload, asked: Collection[str] = ()) -> Planned:
    """Looks how far the training of some runs is, and whether finished ones have what is `asked`, see `has_asked`."""
    epochs = [len(stored_rows(folder)) - 1 for folder in runs]
    config = next(iter(runs.values()))
    each, size = costs.training(work)
    size += costs.PROGRAM_BYTES
    if is_trained(runs):
        there = f"finished at epoch {', '.join(map(str, epochs))}"
        if all(has_asked(folder, own, asked) for folder, own in runs.items()):
            return Planned("train", there, False)
        there += f", to be brought to {', '.join(f'{name}={getattr(config, name)}' for name in asked)}"
        # Networks that were not kept are trained once more.
        return Planned("train", there, True, costs.START_SECONDS + sum(epochs) * each, True, size)
    there = "nothing yet" if max(epochs) < 0 else f"at epoch {', '.join(map(str, epochs))} of at most {config.epochs}"
    seconds = costs.START_SECONDS + sum(config.epochs - epoch for epoch in epochs) * each
    return Planned("train", there, True, seconds, config.stop_accuracy < 1, size)


def plan_measurement(
    one: Measurement, folders: Sequence[RunFolder], preset: Preset, splits: Splits, work: costs.Workload, trained: bool
) -> Planned:
    """Looks whether a measurement was made for all runs with these settings; none stays valid unless `trained`."""
    if why := one.why_not(preset.run, splits):
        return Planned(one.name, why, False)
    settings = preset.of_all(one)
    made = [trained and is_measured(one, folder, settings) for folder in folders]
    if all(made):
        return Planned(one.name, "done with these settings", False)
    if any(made):
        state = f"done for {sum(made)} of {len(made)} runs"
    elif any((folder.results / f"{table}.csv").is_file() for folder in folders for table in one.tables):
        state = "there, but made with other settings or from another network"
    else:
        state = "nothing yet"
    seconds, size = one.cost(work, *settings)
    notes = (read_notes(folder, strict=False) for folder in folders)
    if before := [own[one.name]["seconds"] for own in notes if one.name in own]:
        seconds = max(before) - costs.START_SECONDS
    seconds = None if seconds is None else (costs.START_SECONDS + seconds) * (len(made) - sum(made))
    size = costs.PROGRAM_BYTES + (costs.reading(work) if size is None else size)
    return Planned(one.name, state, True, seconds, bytes=size)


def only_on_request(one: Planned, folder: str | pathlib.Path) -> Planned:
    """The same, if it is not done yet, as something that `reproduce` leaves to a command of its own."""
    return one._replace(todo=False, command=command_line_of(one.name, folder)) if one.todo else one


def check_memory(planned: Sequence[Planned]) -> None:
    """Raises ValueError for what cannot fit into memory, before anything is done."""
    # An accelerator has memory of its own.
    for one in planned if jax.default_backend() == "cpu" else ():
        if one.todo and one.bytes is not None:
            check_fits(f"{one.name} with these settings", int(one.bytes), ADVICE)


def needs_second(planned: Sequence[Planned]) -> bool:
    """Whether a second process should share the measurements: they are many and short, and memory is there for two."""
    seconds = sum(one.seconds - costs.START_SECONDS for one in planned if one.todo and one.seconds is not None)
    needed = sum(sorted(one.bytes for one in planned if one.todo and one.bytes is not None)[-2:])
    is_short = SECOND_PROCESS_SECONDS[0] <= seconds <= SECOND_PROCESS_SECONDS[1]
    return is_short and jax.default_backend() == "cpu" and num_cores() > 1 and needed < available_bytes() / 2


def show(planned: Sequence[Planned]) -> None:
    """Prints a plan."""
    wide = max(len(one.name) for one in planned)
    for one in planned:
        print(one.line(wide))
    known = [one.seconds for one in planned if one.todo and one.seconds is not None]
    if known:
        print(f"  together {'at most ' if any(one.at_most for one in planned) else ''}{about(sum(known))}", flush=True)
