"""Several studies in one moving picture."""

from collections.abc import Mapping

import pandas as pd

from memorize_jax.explorer.explored import Explored


def together(studies: Mapping[str, Explored]) -> Explored | None:
    """Puts the first run of each study side by side, under the name of the study.

    None for fewer than two, or where they have not the same layers or no measure in common.
    """
    found = list(studies.values())
    if len(found) < 2 or len({own.layers for own in found}) > 1:
        return None
    shared = {
        name: title for name, title in found[0].measures.items() if all(title in own.measures.values() for own in found)
    }
    if not shared:
        return None
    return Explored(
        tuple(studies),
        found[0].layers,
        {name: own.epochs[own.runs[0]] for name, own in studies.items()},
        shared,
        _first(studies, "places"),
        _first(studies, "training"),
        _first(studies, "rewinding"),
        {name: own.errors[own.runs[0]] for name, own in studies.items()},
        any(own.leaves_out_output for own in found),
    )


def _first(studies, table):
    rows = {name: getattr(own, table) for name, own in studies.items()}
    parts = [own[own["run"] == studies[name].runs[0]].assign(run=name) for name, own in rows.items() if len(own)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
