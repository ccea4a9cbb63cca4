"""A study as a plan: a base configuration, the combinations of fields in which its runs differ, and seeds."""

import collections
import dataclasses
import hashlib
import itertools
import json
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from memorize_jax.config import RunConfig
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.seeds import parse_seeds, seed_folder

# A study of more is a mistake.
MOST_RUNS = 10_000


class PlannedRun(NamedTuple):
    """One combination of the values of all axes; its name is that of its folder, "" for that of the study itself."""

    name: str
    values: dict[str, Any]
    config: RunConfig


class StudyPlan(NamedTuple):
    """What a study consists of.

    Attributes:
      config: of every run, but for the fields of the combinations.
      combinations: of each run field -> value, all of the same fields in the same order.
      seeds: of every combination, in folders of their own; () for the configuration's own.
      by_value: whether folders are named after the one field and its value, "width_4"; else by a hash.
    """

    config: RunConfig
    combinations: Sequence[Mapping[str, Any]] = ({},)
    seeds: tuple[int, ...] = ()
    by_value: bool = False

    @property
    def axes(self) -> tuple[str, ...]:
        """The fields in which the runs differ."""
        return tuple(self.combinations[0])

    def runs(self) -> list[PlannedRun]:
        """Its combinations; raises ValueError for a value that cannot be."""
        found = []
        for values in self.combinations:
            config = dataclasses.replace(self.config, **values)
            config.validate()
            # As the configuration holds them: 0.0 for the 0 of a command line.
            held = {name: getattr(config, name) for name in values}
            found.append(PlannedRun(self._name(config, held), held, config))
        return found

    def _name(self, config, values):
        if not values:
            return ""
        if self.by_value:
            return "_".join(f"{name}_{value}" for name, value in values.items())
        identity = {name: value for name, value in config.identity().items() if not (self.seeds and name == "seed")}
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]

    def folders(self, workdir: str | pathlib.Path, planned: PlannedRun) -> dict[RunFolder, RunConfig]:
        """Folder -> configuration of every seed of a combination."""
        place = RunFolder(workdir).workdir / planned.name
        if not self.seeds:
            return {RunFolder(place): planned.config}
        configs = {seed: dataclasses.replace(planned.config, seed=seed) for seed in self.seeds}
        return {RunFolder(seed_folder(place, seed)): config for seed, config in configs.items()}


def make_plan(
    config: RunConfig, axes: Mapping[str, Any], seeds: str | None = None, *, by_value: bool = False
) -> StudyPlan:
    """Plans every combination of the values of some fields, the last field changing fastest.

    Args:
      axes: field -> its values.
      seeds: a text for `parse_seeds`.

    Raises:
      ValueError: a field that there is not or that makes no other run, no list of values, or too many combinations.
    """
    for name, values in axes.items():
        _check_axis(config, name, "--grid")
        held = isinstance(values, list) and [
            getattr(dataclasses.replace(config, **{name: one}), name) for one in values
        ]
        if not held or len(set(map(repr, held))) < len(held):
            raise ValueError(f"expected a list of different values for {name}, got {values!r}")
    total = math.prod(map(len, axes.values()))
    if total > MOST_RUNS:
        raise ValueError(f"expected at most {MOST_RUNS} combinations, got {total}")
    combinations = [dict(zip(axes, chosen, strict=True)) for chosen in itertools.product(*axes.values())]
    return StudyPlan(config, combinations, _seeds(seeds), by_value)


def plan_listed(config: RunConfig, listed: Sequence[Mapping[str, Any]], seeds: str | None = None) -> StudyPlan:
    """Plans runs that are listed one by one; where one does not name a field that another names, it has the base's.

    Args:
      listed: of each run field -> value; {} is the base itself.
      seeds: a text for `parse_seeds`.

    Raises:
      ValueError: a field that there is not or that makes no other run, a run that is listed twice, no or too many runs,
        or a field that not all name and whose base value is None, which no column can hold.
    """
    if not 0 < len(listed) <= MOST_RUNS:
        raise ValueError(f"expected 1 to {MOST_RUNS} runs in [[runs]], got {len(listed)}")
    axes = list(dict.fromkeys(name for values in listed for name in values))
    for name in axes:
        _check_axis(config, name, "[[runs]]")
        if getattr(config, name) is None and not all(name in values for values in listed):
            raise ValueError(f"expected {name} in each of [[runs]], or in [run] for those that do not say it")
    combinations = [{name: values.get(name, getattr(config, name)) for name in axes} for values in listed]
    plan = StudyPlan(config, combinations, _seeds(seeds))
    runs = plan.runs()
    counts = collections.Counter(one.config for one in runs)
    if twice := [one.values for one in runs if counts[one.config] > 1]:
        raise ValueError(f"expected [[runs]] that differ, got {twice[0]} twice")
    return plan


def _check_axis(config, name, where):
    check_field(name)
    if name not in config.deciding():
        raise ValueError(f"expected fields of {where} that make another run, got {name}; give it to all by --{name}")


def _seeds(text):
    return tuple(parse_seeds(str(text))) if text is not None else ()


def check_field(name: str) -> None:
    """Raises ValueError unless a name is a field of a run that a plan may set."""
    fields = sorted({field.name for field in dataclasses.fields(RunConfig)} - {"seed"})
    if name not in fields:
        raise ValueError(f"expected fields of a run ({', '.join(fields)}), or seeds apart, got {name!r}")
