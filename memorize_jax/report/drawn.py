"""The parts of a page: what a room says of its measurement, and its figures."""

import functools
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from memorize_jax.claims.statement import NOT_TESTABLE, Claim
from memorize_jax.figures.figure import Figure, missing
from memorize_jax.measurements.measurement import Measurement
from memorize_jax.measurements.registry import measurements, open_study, tables
from memorize_jax.pages.page import embedded, fill
from memorize_jax.pages.views import View, plain_view
from memorize_jax.report.catalog import caption, path_of
from memorize_jax.studies.study import Study

OTHER = "More figures"
# Two figures of this width stand side by side.
MOST_POINTS = 540


class Drawn(NamedTuple):
    """A figure on a page.

    Attributes:
      look_for: its caption.
      address: of its image.
      is_wide: whether it takes the whole width of the page.
      alt: what it shows and what was found, for those who do not see it.
      tables: names of those that it is drawn from.
    """

    name: str
    title: str
    look_for: str
    address: str
    is_wide: bool
    alt: str
    tables: tuple[str, ...]


class Picture(NamedTuple):
    """The address of a figure's image, and whether it takes the whole width of the page."""

    address: str
    is_wide: bool


class NotDrawn(NamedTuple):
    """A figure that cannot be drawn, and why not or which command helps."""

    name: str
    title: str
    reason: str


class Part(NamedTuple):
    """A part of a page about one measurement; `words` are HTML, "" for none."""

    title: str
    words: str
    figures: list[Drawn]


def picture_of(figure: Figure, study: Study) -> Picture:
    """Draws a figure of a study into its folder."""
    path = figure.draw(study, path_of(figure, study))
    width = re.search(r'<svg[^>]* width="([\d.]+)pt"', path.read_text(encoding="utf-8"))
    return Picture(embedded(path), width is None or float(width[1]) > MOST_POINTS)


def picture_named(workdir: str, name: str) -> Picture | None:
    """`picture_of` for a process that knows only the names of folder and figure; None for one that cannot be drawn."""
    figure, study = all_figures()[name], _opened(workdir)
    return None if missing(figure, study) else picture_of(figure, study)


def all_figures() -> dict[str, Figure]:
    """Every figure of the catalog by its name, in the order of a page."""
    return {figure.name: figure for one in measurements().values() for figure in one.figures}


# In a process of its own, which draws all figures of a study that does not change any more.
_opened = functools.lru_cache(maxsize=1)(open_study)


def parts(
    study: Study, claims: Sequence[Claim] = (), picture: Callable[[Figure, Study], Picture] = picture_of
) -> tuple[list[Part], list[NotDrawn]]:
    """Draws every figure that the tables allow: the parts in the order of the registry, and what cannot be drawn.

    `picture` draws one of them.
    """
    found, others, rest = [], [], []
    for measurement in measurements().values():
        reasons = [(figure, missing(figure, study)) for figure in measurement.figures]
        drawn = [_drawn(figure, study, claims, picture) for figure, reason in reasons if not reason]
        rest += [NotDrawn(figure.name, figure.title, reason) for figure, reason in reasons if reason]
        title, words = _said(measurement, study)
        if not title:
            others += drawn
        elif drawn or words:
            found.append(Part(title, words, drawn))
    return [*found, *([Part(OTHER, "", others)] if others else [])], rest


def _drawn(figure, study, claims, picture) -> Drawn:
    address, is_wide = picture(figure, study)
    about = (figure.name, figure.title, caption(figure, study), address, is_wide)
    return Drawn(*about, finding(figure, claims), figure.needs)


def finding(figure: Figure, claims: Sequence[Claim]) -> str:
    """A figure in words: its title, and what the claims about it found; where there is none, what to look for."""
    number = figure.name.removeprefix("fig").removeprefix("a").upper()
    own = [claim for claim in claims if claim.figure.removeprefix("A.") == number and claim.verdict != NOT_TESTABLE]
    if not figure.name.startswith("fig") or not own:
        return f"{figure.title}. {figure.look_for}"
    said = (f"{claim.statement} {claim.verdict}: {claim.measured:.3g}, holds if {claim.threshold}." for claim in own)
    return f"{figure.title}. {' '.join(said)}"


def _said(measurement: Measurement, study: Study) -> tuple[str, str]:
    """Title and words of a room's section."""
    section = measurement.section
    if section is None:
        return "", ""
    is_told = section.words and not study.axes and set(section.needs) <= set(study.tables)
    facts = section.facts(study) if is_told else None
    return section.title, fill(section.words, study=study, facts=facts) if facts else ""


def views(study: Study) -> list[View]:
    """All tables of a study: those that a room has a view of, and the others as they are.

    A view that does not tell the runs of a sweep apart is none of a sweep.
    """
    known = {
        name: view
        for one in measurements().values()
        if one.section
        for name, (others, make) in one.section.views.items()
        if not study.axes or name in one.section.of_sweeps
        if {*others, *({name} & tables().keys())} <= study.tables.keys() and (view := make(study))
    }
    rest = {name: table for name, table in study.tables.items() if name not in known}
    return [*known.values(), *(plain_view(name, table) for name, table in rest.items())]
