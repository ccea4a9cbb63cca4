"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def table(header: Sequence, rows: Iterable[Sequence]) -> str:
    """A header and rows of anything that can be printed."""
    head, *lines = ("| " + " | ".join(map(str, line)) + " |" for line in [header, *rows])
    return "\n".join([head, "|" + "---|" * len(header), *lines])
