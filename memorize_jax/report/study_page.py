"""The page of one study: a run, an ensemble, a sweep, networks of growing width."""

from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd

from memorize_jax.claims.statement import HOLDS, VERDICTS, Claim
from memorize_jax.pages.page import csv_address, render
from memorize_jax.report.drawn import parts, views
from memorize_jax.studies.accuracies import story
from memorize_jax.studies.study import Study

UNDECIDED = VERDICTS[-1]


def study_page(study: Study, claims: Sequence[Claim], commands: Sequence[str]) -> str:
    """Makes the page of one study, as HTML, and draws its figures into its folder.

    Args:
      claims: judged on the study.
      commands: that make it again, in order.
    """
    shown, not_drawn = parts(study)
    return render(
        "study.html.j2",
        study=study,
        title=f"{study.dataset}, {study.model}",
        story=story(study) if not study.axes else None,
        claims=claims,
        decided=[claim for claim in claims if claim.verdict != UNDECIDED],
        undecided=by_reason(claims),
        counts=count(claims),
        claims_csv=csv_address(pd.DataFrame([claim._asdict() for claim in claims])),
        parts=shown,
        not_drawn=not_drawn,
        tables=views(study),
        settings=settings(study),
        versions=versions(study),
        commands=commands,
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


def count(claims: Iterable[Claim]) -> dict[str, int]:
    """Verdict -> how many claims have it; of the two ways to hold those that occur, on one seed or on several."""
    found = Counter(claim.verdict for claim in claims)
    held = [verdict for verdict in HOLDS if found[verdict]] or HOLDS[:1]
    return {verdict: found[verdict] for verdict in VERDICTS if verdict in held or verdict not in HOLDS}


def by_reason(claims: Iterable[Claim]) -> dict[str, list[Claim]]:
    """Reason -> the claims that are not testable for it."""
    found: dict[str, list[Claim]] = {}
    for claim in claims:
        if claim.verdict == UNDECIDED:
            found.setdefault(claim.reason, []).append(claim)
    return found
