"""What the report says of the scores."""

import pathlib

import pandas as pd

from memorize_jax.measurements.scores.correlations import rank_correlations
from memorize_jax.pages.section import Section
from memorize_jax.pages.views import Number, make_view
from memorize_jax.studies.study import Study


def _facts(study: Study) -> dict | None:
    runs, table = study.tables["subset_runs"], study.tables["memorization_scores"].dropna(subset=["memorization"])
    wrong, own = table[table["assigned"] != table["true"]], table[table["is_permuted"] == 0]
    if wrong.empty or own.empty:
        return None
    facts = {"networks": len(runs) // runs["seed"].nunique(), "fitted": runs["subset_accuracy"].mean()}
    facts["share"] = (table["num_with"] / (table["num_with"] + table["num_without"])).mean()
    for name, rows in (("wrong", wrong), ("own", own)):
        facts[name] = rows["memorization"].mean()
        facts |= {f"{name}_{kind}": rows[f"accuracy_{kind}"].mean() for kind in ("with", "without")}
    return facts


def _memorization_scores(study):
    parts = []
    scores, per_example = (study.tables[name] for name in ("memorization_scores", "per_example"))
    for seed in study.seeds:
        found = rank_correlations(scores[scores["seed"] == seed], per_example[per_example["seed"] == seed])
        parts += [{"seed": seed, "score": name, "correlation": value} for name, value in found.items()]
    numbers = {"correlation": Number("rank correlation with memorization", ".3f")}
    lacking = int(scores["memorization"].isna().sum())
    without = f" ({lacking} of {len(scores)} have none)" if lacking else ""
    note = (
        f"Spearman's, over all training examples with a memorization score{without}; 1 is the same order from least to "
    )
    note += "most memorized."
    title = "Cheap scores of one run against memorization"
    return make_view(
        "memorization_scores", title, pd.DataFrame(parts), {"score": "score"}, numbers, note=note, whole=scores
    )


def _influence(study):
    table = study.tables["influence"]
    own = table[(table["rank"] == 1) & (table["seed"] == study.seeds[0])]
    first = own.sort_values("influence", ascending=False).head(20)
    texts = {"test_example": "test example", "example": "training example"}
    numbers = {"influence": Number("influence", ".2f"), "standard_error": Number("standard error", ".2f")}
    numbers["same_label"] = Number("trained with the test example's label", "d")
    note = "How much more often networks get the test example right that were trained on the training example."
    note += f" Of seed {study.seeds[0]}." if len(study.seeds) > 1 else ""
    return make_view("influence", "Single examples of most influence", first, texts, numbers, note=note, whole=table)


SECTION = Section(
    "How much every example is memorized",
    {"memorization_scores": (("per_example",), _memorization_scores), "influence": ((), _influence)},
    words=pathlib.Path(__file__).with_name("section.html.j2"),
    needs=("subset_runs", "memorization_scores"),
    facts=_facts,
)
