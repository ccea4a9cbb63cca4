"""Tables of a page: rows to read and sort, and the whole table to download."""

import functools
import operator
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from memorize_jax.pages.page import NO_BREAK, shown
from memorize_jax.statistics import LEVEL, check_one_row_of_each_seed, student_t_interval


class Number(NamedTuple):
    """A column of numbers.

    Attributes:
      form: see `page.shown`.
      beside: column of a text that stands in brackets behind the number of a single run.
      bound: column of a sign, "≤" or "≥" where the number is only a bound, else "". Of several seeds a mean with a
        bound among them is a bound too, without an interval; one with bounds of both kinds says nothing.
    """

    title: str
    form: str
    beside: str = ""
    bound: str = ""


class Flags(NamedTuple):
    """A column of sums of bit flags: of several seeds those that any of them has."""

    title: str


class Header(NamedTuple):
    """Head of a column, and whether its cells are texts."""

    title: str
    is_text: bool


class Cell(NamedTuple):
    """The text to read, and the value to sort by."""

    text: str
    value: str


class View(NamedTuple):
    """A table of a page.

    Attributes:
      name: of the downloaded file, without its ending.
      note: below the table.
      whole: the table to download.
    """

    name: str
    title: str
    note: str
    headers: tuple[Header, ...]
    rows: list[list[Cell]]
    whole: pd.DataFrame


def make_view(
    name: str,
    title: str,
    rows: pd.DataFrame,
    texts: Mapping[str, str],
    numbers: Mapping[str, Number | Flags],
    *,
    note: str = "",
    whole: pd.DataFrame | None = None,
) -> View:
    """Makes a table of one run, or of the means over several seeds with their intervals (`student_t_interval`).

    Args:
      rows: with the columns below and `seed`; one for every seed and combination of the texts.
      texts: column -> title; what a row is about.
      numbers: column -> Number, or Flags; what was measured.
      whole: the table to download; `rows` if not given.

    Raises ValueError where a seed has several rows with the same texts: their mean would be none over seeds.
    """
    check_one_row_of_each_seed(rows, texts, what=name)
    grouped = rows.groupby(list(texts), sort=False, dropna=False)
    num_seeds = grouped["seed"].nunique().max()
    headers = [Header(text, True) for text in texts.values()]
    headers += [Header(number.title, False) for number in numbers.values()]
    if num_seeds > 1:
        counts = grouped[[name for name, number in numbers.items() if isinstance(number, Number)]].count().to_numpy()
        fewest = counts[counts > 0].min(initial=num_seeds)
        lacking = f" (of {fewest} at least, where some lack a value)" if fewest < num_seeds else ""
        note = f"{note} Mean ± half the {LEVEL:.0%} Student-t interval over {num_seeds} seeds{lacking}.".strip()
        cells = [[*map(_text, key), *(_of_seeds(own, *of) for of in numbers.items())] for key, own in grouped]
    else:
        cells = [
            [*(_text(row[name]) for name in texts), *(_number(row, *own) for own in numbers.items())]
            for row in rows.to_dict("records")
        ]
    return View(name, title, note, tuple(headers), cells, rows if whole is None else whole)


def plain_view(name: str, table: pd.DataFrame, *, most_rows: int = 200) -> View:
    """A table as it is: all columns, the first rows."""
    is_text = {column: not pd.api.types.is_numeric_dtype(table[column]) for column in table}
    plain = Number("", ".4g")
    cells = [
        [_text(row[column]) if is_text[column] else _number(row, column, plain) for column in table]
        for row in table.head(most_rows).to_dict("records")
    ]
    title = name.replace("_", " ").capitalize()
    note = f"The first {most_rows} of {len(table)} rows." if len(table) > most_rows else ""
    headers = tuple(Header(column.replace("_", " "), is_text[column]) for column in table)
    return View(name, title, note, headers, cells, table)


def _text(value):
    text = "–" if pd.isna(value) else str(value)
    return Cell(text, text)


def _number(row, column, number):
    value = row[column]
    if isinstance(number, Flags):
        return Cell(shown(value, "d"), "" if pd.isna(value) else repr(float(value)))
    behind = f" ({row[number.beside]})" if number.beside and not pd.isna(value) else ""
    sign = f"{row[number.bound]}{NO_BREAK}" if number.bound and row[number.bound] and not pd.isna(value) else ""
    return Cell(sign + shown(value, number.form) + behind, "" if pd.isna(value) else repr(float(value)))


def _of_seeds(rows, column, number):
    """The cell of several seeds."""
    if isinstance(number, Flags):
        union = functools.reduce(operator.or_, rows[column].dropna().astype(int), 0)
        return Cell(str(union), repr(float(union)))
    found = student_t_interval(rows[column].to_numpy(float), level=LEVEL)
    mean, half = float(found.mean), float(found.high - found.mean)
    signs = set(rows.loc[rows[column].notna(), number.bound]) - {""} if number.bound else set()
    if mean != mean or len(signs) > 1:
        return Cell(shown(None, number.form), "")
    form = ".1f" if number.form == "d" else number.form
    text = shown(mean, form)
    if signs:
        text = f"{signs.pop()}{NO_BREAK}{text}"
    elif half == half:
        text = f"{text.removesuffix(f'{NO_BREAK}%')} ± {shown(half, form)}"
    return Cell(text, repr(mean))


def if_there(table: pd.DataFrame, numbers: Mapping[str, Number]) -> dict[str, Number]:
    """The columns of numbers of which a table has any."""
    return {column: number for column, number in numbers.items() if table[column].notna().any()}
