"""The page of one study: a run, an ensemble, a sweep, networks of growing width."""

import pathlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from memorize_jax.claims.statement import HOLDS, VERDICTS, Claim
from memorize_jax.pages.page import csv_address, render
from memorize_jax.report.drawn import parts, views
from memorize_jax.studies.accuracies import story
from memorize_jax.studies.study import Study

UNDECIDED = VERDICTS[-1]


class Making(NamedTuple):
    """How a study was made.

    Attributes:
      settings: name -> its value, or the values of several runs.
      versions: name -> version, or whatever else tells one machine from another.
      commands: that make it again, in order.
    """

    settings: Mapping[str, str]
    versions: Mapping[str, str]
    commands: Sequence[str]


def study_page(study: Study, claims: Sequence[Claim], making: Making, folder: pathlib.Path) -> str:
    """Makes the page of one study.

    Args:
      study: the tables.
      claims: judged on them.
      making: how it was made.
      folder: for the figures' files.

    Returns:
      HTML.
    """
    shown, not_drawn = parts(study, folder)
    return render(
        "study.html.j2",
        study=study,
        title=f"{study.dataset}, {study.model}",
        story=story(study) if not study.axes else None,
        claims=claims,
        decided=[claim for claim in claims if claim.verdict != UNDECIDED],
        undecided=_by_reason(claim for claim in claims if claim.verdict == UNDECIDED),
        counts=count(claims),
        claims_csv=csv_address(pd.DataFrame([claim._asdict() for claim in claims])),
        parts=shown,
        not_drawn=not_drawn,
        tables=views(study),
        making=making,
    )


def count(claims: Sequence[Claim]) -> dict[str, int]:
    """Verdict -> how many claims have it; of the two ways to hold those that occur, on one seed or on several."""
    found = Counter(claim.verdict for claim in claims)
    held = [verdict for verdict in HOLDS if found[verdict]] or HOLDS[:1]
    return {verdict: found[verdict] for verdict in VERDICTS if verdict in held or verdict not in HOLDS}


def _by_reason(claims):
    found = {}
    for claim in claims:
        found.setdefault(claim.reason, []).append(claim)
    return found
