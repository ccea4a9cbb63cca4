"""Markdown tables: of benchmark records, which also read well in a terminal, and of rows of text."""

import numbers
from collections.abc import Iterable, Sequence


def cell(value) -> str:
    """Formats one value: three significant digits for a float, "-" for None."""
    if value is None:
        return "-"
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral):
        return f"{float(value):.3g}"
    return str(value)


def table(records: list[dict]) -> str:
    """Formats records with equal keys, one a row, the keys as header."""
    rows = [list(records[0]), *([cell(value) for value in record.values()] for record in records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    aligned = [[text.rjust(width) for text, width in zip(row, widths, strict=True)] for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in aligned]
    rule = "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def of_rows(header: Sequence, rows: Iterable[Sequence]) -> str:
    """A header and rows of anything that can be printed, as they are."""
    head, *lines = ("| " + " | ".join(map(str, line)) + " |" for line in [header, *rows])
    return "\n".join([head, "|" + "---|" * len(header), *lines])
