"""What the report says of drift and collapse."""

import pathlib

from memorize_jax.claims.shapes import thirds
from memorize_jax.epochs import STAGES, at_shared_stages, at_stages_or_epochs
from memorize_jax.measurements.collapse.means import MESSAGES
from memorize_jax.pages.section import Section
from memorize_jax.pages.views import Number, if_there, make_view
from memorize_jax.studies.study import Study

NUMBERS = {
    "drift": Number("drift", ".3f"),
    "drift_sd": Number("± over examples", ".3f"),
    "drift_share": Number("beyond half way", "percent"),
    "nc1_true": Number("NC1, true labels", ".3g"),
    "nc1_assigned": Number("NC1, assigned labels", ".3g"),
    "nc2_norm": Number("NC2, norms", ".3f"),
    "nc2_angle": Number("NC2, angles", ".3f"),
    "nc3": Number("NC3", ".3f"),
    "nc4": Number("NC4, agreement", "percent"),
}
NOTE = (
    "Drift: from the centroid of the true class (0) to that of the assigned one (1), centroids of unpermuted examples. "
    "NC1: variation within classes over that between them. NC2: spread of the centroids' distances from their center, "
    "and mean distance of their cosines from those of a simplex. NC3: distance of the last layer's weights from the "
    "centroids of its inputs. NC4: share of the examples whose nearest unpermuted centroid is the network's class. "
    "0 is complete collapse, for NC4 100 %."
)


def _facts(study: Study) -> dict | None:
    """Mean drift of early and late hidden layers at both stages, over the seeds that have it of all of these layers.

    None where a seed was not measured at either, or where no seed has all.
    """
    hidden = study.layers[:-1]
    if not hidden:
        return None
    table = at_shared_stages(study.tables["collapse"], {seed: study.metrics_of(seed) for seed in study.seeds})
    rows = table[table["group"] == "permuted"]
    early, late = thirds(hidden)
    asked = [(stage, layer) for stage in STAGES for layer in dict.fromkeys((*early, *late))]
    wide = rows.pivot(index="seed", columns=["stage", "layer"], values="drift").reindex(columns=asked)
    # A mean over other seeds in each layer would compare seeds, not layers.
    complete = wide.dropna()
    if complete.empty:
        return None
    found: dict = {"early": early, "late": late, "count": len(complete), "seeds": len(study.seeds)}
    for stage in STAGES:
        for name, layers in (("early", early), ("late", late)):
            found[f"{stage}_{name}"] = float(complete[[(stage, layer) for layer in layers]].to_numpy().mean())
    return found


def _collapse(study):
    table = study.tables["collapse"]
    rows = at_stages_or_epochs(table, {seed: study.metrics_of(seed) for seed in study.seeds})
    rows = rows.sort_values(["stage", "group", "layer_number"])
    reasons = [text for flag, text in MESSAGES.items() if (rows["status"].astype(int) & flag > 0).any()]
    note = f"{NOTE} Numbers are missing where {'; or '.join(reasons)}." if reasons else NOTE
    texts = {"stage": "epoch", "group": "group", "layer": "layer"}
    return make_view("collapse", "Drift and collapse", rows, texts, if_there(table, NUMBERS), note=note, whole=table)


SECTION = Section(
    "Where permuted examples leave their true class",
    {"collapse": (("metrics",), _collapse)},
    words=pathlib.Path(__file__).with_name("section.html.j2"),
    needs=("collapse", "metrics"),
    facts=_facts,
)
