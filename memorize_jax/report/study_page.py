"""The page of one study: a run, an ensemble, a sweep, networks of growing width."""

from collections.abc import Callable, Sequence

import pandas as pd

from memorize_jax.claims.statement import Claim
from memorize_jax.explorer.explored import explored
from memorize_jax.figures.figure import Figure
from memorize_jax.pages.page import packed_csv, render
from memorize_jax.report.claims_shown import count, part
from memorize_jax.report.drawn import Picture, parts, picture_of, views
from memorize_jax.report.headline import headline
from memorize_jax.report.memorized import most_memorized
from memorize_jax.report.moving import moving_picture
from memorize_jax.studies.accuracies import story
from memorize_jax.studies.study import Study


def study_page(
    study: Study,
    claims: Sequence[Claim],
    commands: Sequence[str],
    *,
    renewed_every: int = 0,
    picture: Callable[[Figure, Study], Picture] = picture_of,
) -> str:
    """Makes the page of one study, as HTML, and draws its figures into its folder.

    Args:
      claims: judged on the study.
      commands: that make it again, in order.
      renewed_every: seconds after which the page loads itself again; 0 for never.
      picture: draws a figure.
    """
    shown, not_drawn = parts(study, claims, picture)
    tables, found = views(study), explored(study)
    whole = {**study.tables, **{view.name: view.whole for view in tables}}
    whole["claims"] = pd.DataFrame([claim._asdict() for claim in claims])
    return render(
        "study.html.j2",
        study=study,
        title=f"{study.dataset}, {study.model}",
        story=story(study) if not study.axes else None,
        headline=headline(study) if not study.axes else "",
        moving=moving_picture(found, whole, shown) if found else None,
        memorized=most_memorized(study),
        claims=claims,
        parted=part(claims),
        counts=count(claims),
        parts=shown,
        not_drawn=not_drawn,
        tables=tables,
        packed={name: packed_csv(table) for name, table in whole.items()},
        settings=settings(study),
        versions=versions(study),
        commands=commands,
        renewed_every=renewed_every,
    )


def settings(study: Study) -> dict[str, str]:
    """Field of the configuration -> its value, or the different values of several runs."""
    configs = [noted.config for noted in study.noted.values()]
    names = configs[0].known if configs else ()
    return {name: _joined(getattr(config, name) for config in configs) for name in names}


def versions(study: Study) -> dict[str, str]:
    """What the runs noted about versions, device and commit."""
    notes = [_flat(one) for noted in study.noted.values() for one in noted.provenance or [{}]]
    names = dict.fromkeys(name for note in notes for name in note)
    return {name: _joined(note.get(name, "unknown") for note in notes) for name in names}


def _flat(provenance):
    packages = provenance.get("packages", {})
    return {**{name: value for name, value in provenance.items() if name != "packages"}, **packages}


def _joined(values):
    return ", ".join(dict.fromkeys(map(str, values)))
