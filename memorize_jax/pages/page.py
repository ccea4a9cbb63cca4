"""Sole owner of jinja2: templates, and how things become part of a page that needs nothing else."""

import base64
import gzip
import math
import pathlib

import jinja2
import pandas as pd
from markupsafe import Markup

from memorize_jax.pages.svg import compact

TEMPLATES = pathlib.Path(__file__).parent / "templates"
# Larger tables are named rather than carried along.
MOST_CSV_BYTES = 2_000_000
NO_BREAK = "\N{NO-BREAK SPACE}"
# A spreadsheet takes a text that begins with one of these for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def embedded(path: pathlib.Path) -> Markup:
    """An SVG file as the address of an image, in an attribute between double quotes."""
    picture = compact(path.read_text(encoding="utf-8")).replace('"', "'")
    # What an address may not have as it is; and what an attribute may not.
    address = picture.replace("%", "%25").replace("#", "%23").replace("\n", "%0A").replace("&", "&amp;")
    return Markup(f"data:image/svg+xml;charset=utf-8,{address}")


def packed(text: str) -> str:
    """A text that a script of the page unpacks: compressed, in base64."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def packed_csv(table: pd.DataFrame) -> str:
    """A table as a packed CSV file; "" if it is too large.

    Texts, names of columns among them, that a spreadsheet would run as a formula get an apostrophe in front.
    """
    content = table.map(_harmless).rename(columns=_harmless).to_csv(index=False)
    return packed(content) if len(content) <= MOST_CSV_BYTES else ""


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
    return _environment().get_template(template).render(**{"renewed_every": 0, **content})


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
