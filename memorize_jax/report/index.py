"""The measurements that there are, as Markdown: docs/measurements.md, made of the registry."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from memorize_jax.config import Settings
from memorize_jax.invocation import SCRIPT
from memorize_jax.measurements.columns import COMMON
from memorize_jax.measurements.measurement import Measurement, Table
from memorize_jax.measurements.registry import measurements
from memorize_jax.report.other_tables import OTHER_TABLES

COLUMNS = """What the columns mean that several tables have. Columns of one table alone are explained with it, further
down; so is a column that means something else there. A number that cannot be had is NaN: the cell is empty, and a
column such as `status` mostly says why. Words such as anchor and draw are in the [glossary](glossary.md); the symbols,
with the sections and equations of the paper, in [mathematics](math.md)."""


def index() -> str:
    """What columns mean, and an entry for every registered measurement: settings, tables, figures and statements."""
    return "\n\n".join([*_columns(), *(part for one in measurements().values() for part in _entry(one))]) + "\n"


def _columns() -> Iterator[str]:
    yield "## Columns"
    yield COLUMNS
    for heading, meanings in COMMON.items():
        yield f"### {heading}"
        yield _meanings(meanings)
    yield "### Tables that no measurement makes alone"
    for place, table in OTHER_TABLES.items():
        yield from _described(place, table)


def _described(place: str, table: Table) -> Iterator[str]:
    """All columns of a table, and what those mean that no other table explains."""
    yield f"`{place}.csv`: {', '.join(table.columns)}."
    if own := {column: table.meanings[column] for column in table.columns if column in table.meanings}:
        yield _meanings(own)


def _meanings(meanings: Mapping[str, str]) -> str:
    return _table(("column", "meaning"), [(f"`{column}`", meaning) for column, meaning in meanings.items()])


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
        others = ", ".join(one.reads)
        some = ", ".join(f"`{name}`" for name in one.reads_flags)
        yield f"Of the settings of {others} it takes {some}." if some else f"It also takes the settings of {others}."
    for name, table in one.tables.items():
        yield from _described(f"{'results/' if one.plan else ''}{name}", table)
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
