"""The measurements that there are, as Markdown: docs/measurements.md, made of the registry."""

import dataclasses
from collections.abc import Iterator, Sequence

from memorize_jax.config import Settings
from memorize_jax.invocation import SCRIPT
from memorize_jax.measurements.measurement import Measurement
from memorize_jax.measurements.registry import measurements


def index() -> str:
    """An entry for every registered measurement: settings, tables, figures and statements."""
    return "\n\n".join(part for one in measurements().values() for part in _entry(one)) + "\n"


def _entry(one: Measurement) -> Iterator[str]:
    yield f"## {one.name}"
    yield f"{one.summary}."
    if one.axes:
        yield f"Of runs that differ in {', '.join(f'`{axis}`' for axis in one.axes)}."
    elif one.measures:
        yield f"    {SCRIPT}{one.name} --workdir=runs/mine"
    if one.package:
        yield f"Needs {one.package[0]}: `{one.package[1]}`."
    if one.settings:
        yield _table(("setting", "default", "meaning"), _settings(one.settings))
    if one.reads:
        yield f"It also takes the settings of {', '.join(one.reads)}."
    for name, table in one.tables.items():
        yield f"`{'results/' if one.plan else ''}{name}.csv`: {', '.join(table.columns)}."
    if one.figures:
        yield "\n".join(f"- `{figure.name}`: {figure.title}" for figure in one.figures)
    if one.statements:
        rows = [(f"`{own.name}`", own.figure, own.statement) for own in one.statements]
        yield _table(("statement", "figure", "what it says"), rows)


def _settings(kind: type[Settings]) -> list[tuple[str, str, str]]:
    rows = []
    for field in dataclasses.fields(kind):
        choices = field.metadata["choices"]
        among = f" One of {', '.join(choices)}." if choices else ""
        rows.append((f"`{field.name}`", f"`{field.default}`", field.metadata["help"] + among))
    return rows


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
