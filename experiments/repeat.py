"""The commands that make a study again."""

import dataclasses
import pathlib
import shlex
from collections.abc import Iterable, Mapping

import pandas as pd

from experiments.presets import PRESETS, closest_preset, decisive_fields
from experiments.record import read_record
from memorize_jax.config import RunConfig
from memorize_jax.runs import Run, member_folders, read_config


def commands(workdir: str | pathlib.Path) -> list[str]:
    """Commands, in order, that make a study again, with every setting that is not the preset's.

    Args:
      workdir: of a run, an ensemble, a sweep or networks of growing width.

    Returns:
      Command lines; of the analyses only those whose settings were noted. Empty if nothing is known.
    """
    members = member_folders(workdir)
    if members or Run(workdir).config.is_file():
        made = _of_run(workdir, members)
    elif (Run(workdir).workdir / "runs.csv").is_file():
        made = _of_sweep(workdir)
    elif "double_descent" in read_record(Run(workdir)):
        made = _of_widths(workdir)
    else:
        return []
    return [*made, f"python -m experiments.report --workdir={shlex.quote(str(workdir))}"]


def _of_run(workdir, members):
    folder = Run(members[0] if members else workdir)
    config = read_config(folder)
    preset = closest_preset(config)
    flags = _flags(config, PRESETS[preset].run, leave_out=("seed",) if members else ())
    lines = [_line("train", workdir, preset, [*flags, *_seeds(members)])]
    for step, noted in read_record(folder).items():
        defaults = getattr(PRESETS[preset], step, None)
        # An older version may not have had all settings; steps without any take no preset.
        names = [field.name for field in dataclasses.fields(defaults)] if defaults else []
        changed = {name: noted["settings"].get(name) for name in names}
        lines.append(_line(step, workdir, preset if defaults else None, _given(changed, defaults)))
    return lines


def _of_widths(workdir):
    noted = read_record(Run(workdir))["double_descent"]["settings"]
    config = RunConfig(**{name: noted[name] for name in RunConfig.__dataclass_fields__})
    widths, seeds = noted["lists"]
    preset = closest_preset(config)
    geometry = PRESETS[preset].geometry
    flags = _flags(config, PRESETS[preset].run, leave_out=("width", "seed"))
    flags += _given({name: noted[name] for name in geometry.__dataclass_fields__}, geometry)
    flags += [f"--widths={','.join(map(str, widths))}", f"--seeds={','.join(map(str, seeds))}"]
    return [_line("double_descent", workdir, preset, flags)]


def _of_sweep(workdir):
    runs = pd.read_csv(Run(workdir).workdir / "runs.csv")
    varies = list(runs.columns[1 : runs.columns.get_loc("seeds")])
    trained = runs["run"][runs["state"] != "missing"]
    first = Run(workdir).workdir / str(trained.iloc[0])
    members = member_folders(first)
    folder = Run(members[0] if members else first)
    config = read_config(folder)
    preset = closest_preset(config)
    flags = _flags(config, PRESETS[preset].run, leave_out=("seed", *varies))
    if measured := read_record(folder).get("geometry"):
        geometry = PRESETS[preset].geometry
        flags += _given({name: measured["settings"][name] for name in geometry.__dataclass_fields__}, geometry)
    grid = [f"--grid={name}={','.join(map(str, dict.fromkeys(runs[name])))}" for name in varies]
    return [_line("sweep", workdir, preset, [*flags, *grid, *_seeds(members)])]


def _seeds(members):
    seeds = [str(read_config(Run(member)).seed) for member in members]
    return [f"--seeds={','.join(seeds)}"] if seeds else []


def _flags(config: RunConfig, defaults: RunConfig, *, leave_out: Iterable[str]) -> list[str]:
    values = dataclasses.asdict(config)
    return _given({name: values[name] for name in decisive_fields() if name not in leave_out}, defaults)


def _given(values: Mapping, defaults) -> list[str]:
    return [
        f"--{name}={shlex.quote(str(value))}"
        for name, value in values.items()
        if value is not None and value != getattr(defaults, name)
    ]


def _line(step, workdir, preset, flags):
    start = [f"python -m experiments.{step} --workdir={shlex.quote(str(workdir))}"]
    return " ".join([*start, *([f"--preset={preset}"] if preset else []), *flags])
