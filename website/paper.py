"""Writes docs/paper.md: every figure, equation and claim with the function that makes it.

    python -m website.paper

Figures and claims are those of the registry; equations are the tables of docs/math.md, whose functions are looked up.
"""

import contextlib
import dataclasses
import functools
import importlib
import inspect
import pathlib
import re
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

from memorize_jax.measurements.registry import figures, statements, tables

ROOT = pathlib.Path(__file__).parent.parent
PAGE = ROOT / "docs" / "paper.md"
MATH = ROOT / "docs" / "math.md"
HEAD = """# Paper and code

Every figure, equation and claim of the papers with the function that makes it. Which command draws which figure of the
paper, on which network, is on [the page of figures](figures.md); thresholds and their reasons are on
[the page of claims](claims.md); the equations are explained in [mathematics](math.md). This page is written by
`python -m website.paper` from the registry of measurements and from the tables of docs/math.md.

"""
# Where names in docs/math.md are looked up, besides the modules of these packages.
PACKAGES = ("memorize_jax", "memorize_jax.geometry", "memorize_jax.measurements", "memorize_jax.analysis")
PACKAGES += ("memorize_jax.own_activations", "memorize_jax.measurements.decoding", "memorize_jax.geometry.joint")


def page() -> str:
    """The whole page."""
    parts = ["## Figures", _figures(paper=True), "## Figures of our own", _figures(paper=False), "## Equations"]
    for section, rows in equations(MATH.read_text(encoding="utf-8")):
        listed = [(said, ", ".join(dict.fromkeys(_link(function(name)) for name in names))) for said, names in rows]
        parts += [f"### {section}", _table(("statement", "function"), listed)]
    parts += ["## Claims", _table(("claim", "of", "what is said", "measured by"), map(_claim, statements()))]
    return HEAD + "\n\n".join(parts) + "\n"


def equations(text: str) -> Iterator[tuple[str, list[tuple[str, list[str]]]]]:
    """(heading, rows of statement and names of functions) of every table of a page whose last column is `function`.

    A name of a function has a dot in it; others are arguments and columns.
    """
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        rows = []
        for head, body in re.findall(r"^(\|[^\n]*\| function \|)\n\|[-|]+\n((?:\|[^\n]*\n)+)", section, re.MULTILINE):
            of = head.count("| equation |")
            for line in body.splitlines():
                cells = re.split(r"(?<!\\)\|", line)[1:-1]
                where = cells[1].strip() if of else "–"
                source = f" ({where})" if where != "–" else ""
                names = re.findall(r"`(\w+\.[\w.]+)`", cells[-1])
                rows += [(cells[0].strip() + source, names)] * bool(names)
        if rows:
            yield section.partition("\n")[0], rows


def function(name: str) -> Callable | ModuleType:
    """What docs/math.md means by a name with dots: a function, class or module, and for a field or method its class.

    Raises:
      LookupError: there is none.
    """
    for package in PACKAGES:
        found: Any = importlib.import_module(package)
        for part in name.split("."):
            if isinstance(found, ModuleType):
                with contextlib.suppress(ModuleNotFoundError):
                    importlib.import_module(f"{found.__name__}.{part}")
            if isinstance(found, type):
                # Fields of a result have no value on the class.
                of_field = part in {field.name for field in dataclasses.fields(found)}
                found = found if of_field else getattr(found, part, None)
            else:
                found = getattr(found, part, None)
        if found is not None:
            return found
    raise LookupError(f"expected a function of memorize_jax, got {name} in {MATH.name}")


def _figures(*, paper):
    made_by = {table: name for table, (_, name) in tables().items()}
    rows = []
    for figure in figures().values():
        if bool(_of_paper(figure.name)) != paper:
            continue
        also = "; ".join(f"{_of_paper(alias)} ({network})" for alias, network in figure.aliases.items())
        numbers = ", ".join(filter(None, [_of_paper(figure.name), also]))
        sources = ", ".join(dict.fromkeys(made_by.get(table, table) for table in figure.needs))
        rows.append((*((numbers,) if paper else ()), f"`{figure.name}`", figure.title, _link(figure.draw), sources))
    return _table((*(("figure",) if paper else ()), "name here", "what", "drawn by", "measured by"), rows)


def _of_paper(name):
    """What the paper calls a figure: fig3a is 3A, figa12 is A.12; "" for one of ours."""
    found = re.fullmatch(r"fig(a?)(\d+)([a-z]?)", name)
    return f"{'A.' * bool(found[1])}{found[2]}{found[3].upper()}" if found else ""


def _claim(statement):
    return f"`{statement.name}`", statement.figure, statement.statement, _link(statement.measure)


def _link(made):
    """A link to the file of a function or module, whose text is its name."""
    if isinstance(made, ModuleType):
        file = pathlib.Path(made.__file__ or "").relative_to(ROOT)
        return f"[`{made.__name__.removeprefix('memorize_jax.')}`](../{file})"
    while isinstance(made, functools.partial):
        made = made.func
    made = inspect.unwrap(made)
    file = pathlib.Path(inspect.getsourcefile(made) or "").relative_to(ROOT)
    module = made.__module__.removeprefix("memorize_jax.").removeprefix("measurements.")
    return f"[`{module}.{made.__qualname__.partition('.<locals>')[0]}`](../{file})"


def _table(header: Sequence[str], rows) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
