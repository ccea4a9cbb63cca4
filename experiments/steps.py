"""The steps of a study after training: what each is done with, what can be wrong with it, and how far a folder is."""

import dataclasses
import importlib.util
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax

from experiments import capacity_check, decoding, examples, geometry, gradients, rewinding, spheres, umap
from experiments.estimate import START_SECONDS, Work, bytes_of, seconds_of
from experiments.presets import Preset
from experiments.record import is_made, read_record, tables_of
from memorize_jax import models
from memorize_jax.analysis.rewinding import select_units
from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels, Splits
from memorize_jax.memory import check_fits
from memorize_jax.runs.folder import Run
from memorize_jax.runs.metrics import stored_rows
from memorize_jax.training import is_finished


class Step(NamedTuple):
    """A step of a study.

    Attributes:
      name: of its command and of its settings in a preset.
      run: takes a run's folder, the settings named by `parts`, and the data.
      parts: fields of `Preset`.
      package: that it needs besides what is always installed: (name to import, how to install it).
      obstacle: why the step makes no sense for a run, e.g. another data set; "" if it does.
    """

    name: str
    run: Callable
    parts: tuple[str, ...] = ()
    package: tuple[str, str] | None = None
    obstacle: Callable[[RunConfig, Splits], str] = lambda config, splits: ""

    def settings(self, chosen: Preset) -> list:
        """The configs that `run` takes."""
        return [getattr(chosen, part) for part in self.parts]


STEPS = (
    Step("geometry", geometry.run, ("geometry",)),
    Step("decoding", decoding.run, ("decoding",)),
    Step("rewinding", rewinding.run, ("rewinding",)),
    Step("gradients", gradients.run, ("gradients",)),
    Step("examples", examples.run, obstacle=examples.obstacle),
    Step("capacity_check", capacity_check.run, ("capacity_check", "geometry")),
    Step("umap", umap.run, ("umap",), package=("umap", "pip install 'memorize_jax[umap]'")),
    Step("spheres", spheres.run, obstacle=spheres.obstacle),
)
ADVICE = "lower --num_draws, --examples_per_class or --max_classes, --num_train, --batch_size or --width"


class Planned(NamedTuple):
    """What is to be done about a step.

    Attributes:
      name: of the step.
      state: what is there already, or why it is left out.
      todo: whether it will run.
      seconds: that it may take; None if nothing is known.
      at_most: whether it may end sooner.
      bytes: of memory that it takes at its peak; None if nothing is known.
    """

    name: str
    state: str
    todo: bool
    seconds: float | None = None
    at_most: bool = False
    bytes: int | None = None


def needed_steps(tables: Sequence[str]) -> list[Step]:
    """The steps that make these tables."""
    return [step for step in STEPS if set(tables_of(step.name)) & set(tables)]


def obstacle_of(step: Step, config: RunConfig, splits: Splits) -> str:
    """Why a step cannot be done for a run: other data, or a package that is not installed; "" if it can."""
    if step.package and importlib.util.find_spec(step.package[0]) is None:
        return f"needs {step.package[0]}: {step.package[1]}"
    return step.obstacle(config, splits)


def check_steps(
    steps: Sequence[Step], folders: Sequence[Run], chosen: Preset, prepared: tuple[Splits, PermutedLabels]
) -> None:
    """Raises ValueError for what can be known to be wrong with settings now, before hours of training.

    Args:
      steps: those to be done.
      folders: of the runs, trained or not.
      chosen: all settings.
      prepared: what `runs.prepare.prepare` returned.
    """
    names = {step.name for step in steps}
    if "decoding" in names:
        decoding.choose_names(chosen.run.model, chosen.decoding.decoding_layers)
    if "geometry" in names:
        geometry.choose_examples(*prepared, chosen.geometry, seed=chosen.run.seed)
    if "rewinding" in names:
        select_units(chosen.rewinding.rewind_layers, models.layers(chosen.run.model))
    last = min(_last_epoch(folder, chosen.run) for folder in folders)
    for step in steps:
        # The first settings are the step's own.
        for name, spec in dataclasses.asdict(step.settings(chosen)[0]).items() if step.parts else ():
            numbers = [item.strip() for item in spec.split(",")] if name.endswith("_epochs") else []
            for number in filter(str.isdecimal, numbers):
                if int(number) > last:
                    raise ValueError(f"expected {name} of at most {last}, the last epoch of the run, got {number}")


def _last_epoch(folder, config):
    """The last epoch that a run has, or at most will have."""
    rows = stored_rows(folder)
    return len(rows) - 1 if rows and is_finished(config, len(rows) - 1, rows) else config.epochs


def plan_training(folders: Sequence[Run], chosen: Preset, work: Work) -> Planned:
    """Looks how far the training of a run, or of the members of an ensemble, is.

    Args:
      folders: of the runs.
      chosen: all settings.
      work: how much there is to do.
    """
    config = chosen.run
    epochs, finished = [], 0
    for folder in folders:
        rows = stored_rows(folder)
        epochs.append(len(rows) - 1)
        finished += bool(rows) and is_finished(config, len(rows) - 1, rows)
    if finished == len(folders):
        return Planned("train", f"finished at epoch {', '.join(map(str, epochs))}", False)
    there = "nothing yet" if max(epochs) < 0 else f"at epoch {', '.join(map(str, epochs))} of at most {config.epochs}"
    left = sum(config.epochs - epoch for epoch in epochs)
    seconds, at_most = START_SECONDS + left * work.epoch_seconds, config.stop_accuracy < 1
    return Planned("train", there, True, seconds, at_most, bytes_of("train", chosen, work))


def plan_step(
    step: Step, folders: Sequence[Run], chosen: Preset, splits: Splits, work: Work, *, trained: bool
) -> Planned:
    """Looks whether a step was done for all runs, with the settings chosen.

    Args:
      step: the step.
      folders: of the runs.
      chosen: all settings.
      splits: the data.
      work: how much there is to do.
      trained: whether the training is finished; if not, no table stays valid.
    """
    if why := obstacle_of(step, chosen.run, splits):
        return Planned(step.name, why, False)
    settings = step.settings(chosen)
    made = [trained and is_made(folder, step.name, *settings) for folder in folders]
    if all(made):
        return Planned(step.name, "done with these settings", False)
    tables = [folder.results / f"{table}.csv" for folder in folders for table in tables_of(step.name)]
    if any(made):
        state = f"done for {sum(made)} of {len(made)} seeds"
    elif any(table.is_file() for table in tables):
        state = "there, but made with other settings or from another network"
    else:
        state = "nothing yet"
    before = [read_record(folder)[step.name]["seconds"] for folder in folders if step.name in read_record(folder)]
    each = max(before) if before else seconds_of(step.name, chosen, work)
    seconds = None if each is None else each * (len(made) - sum(made))
    return Planned(step.name, state, True, seconds, bytes=bytes_of(step.name, chosen, work))


def check_memory(planned: Sequence[Planned]) -> None:
    """Raises ValueError for a step that cannot fit into memory, before anything is done."""
    # An accelerator has memory of its own.
    for one in planned if jax.default_backend() == "cpu" else ():
        if one.todo and one.bytes is not None:
            check_fits(f"{one.name} with these settings", one.bytes, ADVICE)
