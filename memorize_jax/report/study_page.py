"""The page of one study: a run, an ensemble, a sweep, networks of growing width."""

import pathlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from memorize_jax.claims import HOLDS, VERDICTS, Claim
from memorize_jax.figures.figure import RUNS
from memorize_jax.report import words
from memorize_jax.report.drawn import TOPICS, draw
from memorize_jax.report.page import csv_address, render
from memorize_jax.report.tables import views
from memorize_jax.studies.study import Study

# Ketha and Ramaswamy (2025), test accuracy in %: network at the end, best layer by assigned and by true labels.
PUBLISHED_DEGREES = (20, 40, 60, 80)
PUBLISHED = {
    "MLP, MNIST": ((87.4, 96.9, 97.0), (73.3, 96.5, 96.7), (54.2, 94.8, 96.3), (32.1, 83.4, 95.8)),
    "MLP, CIFAR-10": ((48.6, 53.4, 54.0), (40.4, 50.2, 52.6), (30.6, 44.9, 51.0), (19.7, 32.4, 48.4)),
    "CNN, Fashion-MNIST": ((77.7, 83.6, 84.3), (61.4, 81.9, 81.7), (43.3, 80.0, 81.7), (25.6, 73.9, 79.9)),
    "CNN, CIFAR-10": ((60.5, 61.9, 62.5), (46.2, 49.0, 52.4), (31.0, 39.3, 49.0), (18.3, 29.3, 43.7)),
}


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


class Part(NamedTuple):
    """A part of the page about one kind of measurement.

    Attributes:
      title: of the part.
      words: name of the template of what is said, or "".
      facts: for the template.
      figures: drawn ones.
    """

    title: str
    words: str
    facts: dict
    figures: list


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
    drawn, not_drawn = draw(study, folder)
    facts = _facts(study)
    parts = []
    for title, figures in drawn.items():
        table = next((name for name, own in TOPICS.items() if own == title), "")
        if figures or table in facts:
            template = f"words_{table}.html.j2" if table in facts else ""
            parts.append(Part(title, template, facts.get(table, {}), figures))
    return render(
        "study.html.j2",
        study=study,
        title=f"{study.dataset}, {study.model}",
        story=words.story(study) if study.kind in RUNS else None,
        claims=claims,
        decided=[claim for claim in claims if claim.verdict != UNDECIDED],
        undecided=_by_reason(claim for claim in claims if claim.verdict == UNDECIDED),
        counts=count(claims),
        claims_csv=csv_address(pd.DataFrame([claim._asdict() for claim in claims])),
        parts=parts,
        not_drawn=not_drawn,
        tables=views(study),
        published=PUBLISHED,
        published_degrees=PUBLISHED_DEGREES,
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


def _facts(study):
    """Name of a table -> what the page says about it."""
    facts = {}
    if study.kind not in RUNS:
        return facts
    if "rewinding" in study.tables and (study.tables["rewinding"]["into"] == "final").any():
        facts["rewinding"] = words.rewinding(study)
    if "gradients" in study.tables:
        facts["gradients"] = words.gradients(study)
    if {"decoding", "decoding_choice"} <= study.tables.keys() and (found := words.decoding(study)):
        facts["decoding"] = found
    return facts
