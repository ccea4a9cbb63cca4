"""Sole owner of jinja2: templates, and how things become part of a page that needs nothing else."""

import base64
import math
import pathlib

import jinja2
import pandas as pd
from markupsafe import Markup

TEMPLATES = pathlib.Path(__file__).parent / "templates"
# Larger tables are named rather than carried along.
MOST_CSV_BYTES = 2_000_000
NO_BREAK = "\N{NO-BREAK SPACE}"
# A spreadsheet takes a text that begins with one of these for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def embedded(path: pathlib.Path) -> str:
    """An SVG file as the address of an image."""
    return "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode()


def csv_address(table: pd.DataFrame) -> str:
    """A table as the address of a CSV file to download; "" if it is too large.

    Texts, names of columns among them, that a spreadsheet would run as a formula get an apostrophe in front.
    """
    content = table.map(_harmless).rename(columns=_harmless).to_csv(index=False).encode()
    if len(content) > MOST_CSV_BYTES:
        return ""
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(content).decode()


def _harmless(value):
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def shown(value: float | None, form: str) -> str:
    """A number as text in a form, "percent" or a format like ".3f"; None and NaN become a dash."""
    if value is None or math.isnan(value):
        return "–"
    if form == "percent":
        return f"{100 * value:.1f}{NO_BREAK}%"
    return format(int(value) if form == "d" else value, form)


def _span(values):
    """The values of several seeds, as short as it goes."""
    least, most = min(values), max(values)
    return str(least) if least == most else f"{least} to {most}"


def render(template: str, **content) -> str:
    """Fills a template of the report; every text is escaped, and names that it is not given are errors."""
    return _environment().get_template(template).render(**content)


def fill(template: pathlib.Path, **content) -> Markup:
    """Fills the template in a room's file, as HTML that stands in a page as it is."""
    return Markup(_environment().from_string(template.read_text(encoding="utf-8")).render(**content))


def _environment():
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda value: shown(value, "percent")
    environment.filters["shown"] = shown
    environment.filters["span"] = _span
    return environment
