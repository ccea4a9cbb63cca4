"""A plan as its user writes it: a TOML file, or the options of a command line."""

import pathlib
import tomllib
from collections.abc import Sequence
from typing import Any

from memorize_jax.studies.plan import check_field

PARTS = ("preset", "seeds", "run", "grid", "runs")


def read_plan(path: str | pathlib.Path) -> dict[str, Any]:
    """Reads the parts of a plan that a TOML file has; run and grid are always there.

        preset = "digits"
        seeds = "0-2"
        [run]
        epochs = 300
        [grid]
        permuted_fraction = [0.0, 0.5, 1.0]

    Instead of the table [grid] there can be several [[runs]], each with the fields in which it differs from [run].

    Raises:
      FileNotFoundError: no file there.
      ValueError: not TOML, a part that there is not, or both [grid] and [[runs]].
    """
    try:
        content = tomllib.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"no file {path}; expected TOML with preset, [run], and [grid] or [[runs]]") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected a TOML file, got {error}") from error
    for part in content:
        if part not in PARTS:
            raise ValueError(f"{path}: expected the parts {', '.join(PARTS)}, got {part!r}")
    content = {"run": {}, "grid": {}, **content}
    for part in ("run", "grid"):
        if not isinstance(content[part], dict):
            raise ValueError(f"{path}: expected a table [{part}], got {content[part]!r}")
    if "runs" in content:
        if content["grid"]:
            raise ValueError(f"{path}: expected either [grid] or [[runs]], got both")
        if not isinstance(content["runs"], list) or not all(isinstance(one, dict) for one in content["runs"]):
            raise ValueError(f"{path}: expected tables [[runs]], got {content['runs']!r}")
    for name in content["run"]:
        check_field(name)
    return content


def parse_grid(texts: Sequence[str]) -> dict[str, list]:
    """Reads field -> values from texts like "width=8,16"; raises ValueError where there is no "=", or no value."""
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
