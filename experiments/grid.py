"""What a sweep consists of: a preset, settings for all runs, and lists of values to combine."""

import dataclasses
import hashlib
import itertools
import json
import pathlib
import tomllib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.presets import Preset, get_preset
from memorize_jax.config import RunConfig
from memorize_jax.runs.seeds import parse_seeds

PARTS = ("preset", "seeds", "run", "grid")
# A sweep of more is a slip of the pen.
MOST_RUNS = 10_000


class Sweep(NamedTuple):
    """A plan.

    Attributes:
      preset: with the settings of all runs put over it.
      grid: field of RunConfig -> values.
      seeds: of every combination; empty for the preset's own.
    """

    preset: Preset
    grid: dict[str, list]
    seeds: list[int]


class Combination(NamedTuple):
    """One combination of the grid's values.

    Attributes:
      name: of its folder, a hash of what defines the run.
      values: field -> value.
      config: RunConfig.
    """

    name: str
    values: dict
    config: RunConfig


def read_sweep(path: str | pathlib.Path, name: str, overrides: Mapping, seeds: str | None) -> Sweep:
    """Reads a sweep from a TOML file.

        preset = "digits"
        seeds = "0-2"
        [run]
        epochs = 300
        [grid]
        permuted_fraction = [0.0, 0.5, 1.0]

    Args:
      path: of the file.
      name: of the preset, if the file names none.
      overrides: fields of RunConfig given on the command line; they win.
      seeds: given on the command line; they win.

    Raises:
      FileNotFoundError: no such file.
      ValueError: not TOML, or a part or a field that there is not.
    """
    try:
        content = tomllib.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected a TOML file, got {error}") from error
    unknown = [part for part in content if part not in PARTS]
    if unknown:
        raise ValueError(f"{path}: expected the parts {', '.join(PARTS)}, got {unknown[0]!r}")
    run, grid = (content.get(part, {}) for part in ("run", "grid"))
    for part, values in (("run", run), ("grid", grid)):
        if not isinstance(values, dict):
            raise ValueError(f"{path}: expected a table [{part}], got {values!r}")
    return plan(content.get("preset", name), {**run, **overrides}, grid, seeds or content.get("seeds"))


def parse_grid(texts: Sequence[str]) -> dict[str, list]:
    """Reads lists of values from the command line.

    Args:
      texts: e.g. ["permuted_fraction=0,0.5,1", "model=mlp,vgg16"].

    Returns:
      field -> values; numbers where the text is one.

    Raises:
      ValueError: no "=", or no values.
    """
    grid = {}
    for text in texts:
        field, found, values = text.partition("=")
        if not found or not values:
            raise ValueError(f"expected --grid=FIELD=VALUE,VALUE,..., got {text!r}")
        if field.strip() in grid:
            raise ValueError(f"expected each field of --grid once, got {field.strip()} again")
        grid[field.strip()] = [_value(value.strip()) for value in values.split(",")]
    return grid


def _value(text):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def plan(preset: str, run: Mapping, grid: Mapping[str, list], seeds: str | None) -> Sweep:
    """Checks a plan and puts it together.

    Args:
      preset: name.
      run: field of RunConfig -> value for all runs.
      grid: field -> values.
      seeds: text for `parse_seeds`, or None.

    Raises:
      ValueError: a preset or field that there is not, or no list of values.
    """
    fields = {field.name for field in dataclasses.fields(RunConfig)} - {"seed"}
    for name in (*run, *grid):
        if name not in fields:
            raise ValueError(f"expected fields of a run ({', '.join(sorted(fields))}), or seeds apart, got {name!r}")
    for name, values in grid.items():
        if name not in RunConfig().identity():
            raise ValueError(f"expected fields of --grid that make another run, got {name}; give it to all by --{name}")
        if not isinstance(values, list) or not values or len(set(map(str, values))) < len(values):
            raise ValueError(f"expected a list of different values for {name}, got {values!r}")
    base = get_preset(preset)
    base = dataclasses.replace(base, run=dataclasses.replace(base.run, **run))
    return Sweep(base, dict(grid), parse_seeds(str(seeds)) if seeds is not None else [])


def combinations(sweep: Sweep) -> list[Combination]:
    """Lists the runs of a sweep.

    Args:
      sweep: the plan.

    Returns:
      Combinations, the last field of the grid changing fastest.

    Raises:
      ValueError: a value that its field cannot have, or too many runs.
    """
    total = 1
    for values in sweep.grid.values():
        total *= len(values)
    if total > MOST_RUNS:
        raise ValueError(f"expected at most {MOST_RUNS} combinations, got {total}")
    found = []
    for chosen in itertools.product(*sweep.grid.values()):
        values = dict(zip(sweep.grid, chosen, strict=True))
        typed = {name: _like(RunConfig, name, value) for name, value in values.items()}
        config = dataclasses.replace(sweep.preset.run, **typed)
        config.validate()
        found.append(Combination(run_name(config, bool(sweep.seeds)), values, config))
    return found


def _like(config_class, name, value):
    """TOML's 1 is as good as 1.0 where a field is a float; the hash must not differ."""
    kind = str(next(field.type for field in dataclasses.fields(config_class) if field.name == name))
    if "float" in kind and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str if "str" in kind else (int, float)) or isinstance(value, bool):
        raise ValueError(f"expected {name} to be {kind.replace(' | None', '')}, got {value!r}")
    return value


def run_name(config: RunConfig, has_seeds: bool) -> str:
    """The name of a run's folder: a hash of everything that defines it, but for the seed where there are several."""
    identity = {name: value for name, value in config.identity().items() if not (has_seeds and name == "seed")}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
