"""The tables of a study's page: of each what is worth reading, and the whole of it to download."""

from collections.abc import Callable

import pandas as pd

from memorize_jax.epochs import at_stages, best_epoch, final_epoch
from memorize_jax.figures.bound import dimension_remark
from memorize_jax.figures.joint import has_joint
from memorize_jax.geometry.status import BOUND
from memorize_jax.report import words
from memorize_jax.report.views import Number, View, make_view, plain_view
from memorize_jax.studies.study import Study

# Title, numerator, denominator; each (group, part).
RATIOS = {
    "dep_ind_unpermuted": ("unpermuted: dep / ind", ("unpermuted", "dep"), ("unpermuted", "ind")),
    "dep_ind_permuted": ("permuted: dep / ind", ("permuted", "dep"), ("permuted", "ind")),
    "dep": ("dep: unpermuted / permuted", ("unpermuted", "dep"), ("permuted", "dep")),
    "ind": ("ind: unpermuted / permuted", ("unpermuted", "ind"), ("permuted", "ind")),
}


def accuracy_view(study: Study) -> View:
    """Accuracy of every group at the best and the final epoch; the whole: metrics.csv."""
    numbers = {
        "best": Number("at the best epoch", "percent"),
        "peak": Number("highest of any epoch", "percent"),
        "final": Number("at the final epoch", "percent"),
    }
    rows, texts = words.accuracies(study), {"accuracy_of": "group of examples"}
    return make_view("metrics", "Accuracy", rows, texts, numbers, whole=study.tables["metrics"])


# Columns that tables may lack.
JOINT = {
    "joint_capacity": Number("joint capacity", ".4f"),
    "joint_capacity_standard_error": Number("± error", ".4f"),
    "joint_capacity_example_sd": Number("± over examples", ".4f"),
}
SPREAD = {"capacity_example_sd": Number("± over examples", ".4f")}
JOINT_CHECK = {
    "joint_capacity": Number("joint", ".4f"),
    "joint_standard_error": Number("± standard error", ".4f"),
    "joint_classes": Number("classes of a draw", "d"),
}


def _if_there(table, numbers):
    return {column: number for column, number in numbers.items() if table[column].notna().any()}


def _geometry(study):
    geometry = study.tables["geometry"]
    rows = at_stages(geometry, {seed: study.metrics_of(seed) for seed in study.seeds})
    if rows.empty:
        # Neither of the two was measured: what was, then.
        rows = geometry.assign(stage=[f"epoch {epoch}" for epoch in geometry["epoch"]])
    rows = rows.sort_values(["stage", "group", "layer_number"])
    numbers = {
        **_if_there(geometry, JOINT),
        "capacity": Number("mean-field capacity", ".4f"),
        "capacity_standard_error": Number("± error", ".4f"),
        **_if_there(geometry, SPREAD),
        "radius": Number("radius", ".3f"),
        "dimension": Number("dimension", ".2f"),
        "examples_per_class": Number("M", "d"),
        "center_correlation": Number("center correlation", ".3f"),
        "num_center_components": Number("K", "d"),
        "status": Number("status", "d"),
    }
    flagged = int((rows["status"] != 0).sum())
    notes = [f"{flagged} rows carry a status other than 0; see the last column."] if flagged else []
    if has_joint(geometry):
        bounds = int((rows["joint_status"].fillna(0).astype(int) & BOUND > 0).sum())
        notes.append(f"In {bounds} rows the joint capacity is only an upper bound (column joint_status of the file).")
    notes.append("M: examples of a class; K: shared directions of the centers that were removed.")
    note = " ".join([*notes, dimension_remark(rows)])
    texts = {"stage": "epoch", "group": "group", "layer": "layer"}
    return make_view("geometry", "Geometry", rows, texts, numbers, note=note, whole=geometry)


def _rewinding(study):
    rows = []
    for group in ("test", "restored"):
        for seed, effect in words.rewinding_effects(study, group).items():
            rows += [{"seed": seed, "group": group, **found._asdict()} for found in effect.recoveries]
    table = study.tables["rewinding"]
    if not rows:
        names = ("train", "unpermuted", "permuted", "restored", "test")
        numbers = {f"{name}_accuracy": Number(name, "percent") for name in names}
        texts = {"layer": "layers rewound", "rewind_epoch": "to which epoch"}
        return make_view("rewinding", "Rewinding", table, texts, numbers, note="Accuracy; nothing was lost.")
    numbers = {
        "rewind_epoch": Number("to which epoch", "d"),
        "accuracy": Number("accuracy there", "percent"),
        "share": Number("of the loss won back", "percent"),
    }
    texts = {"group": "accuracy on", "layer": "layers rewound"}
    note = "Each layer, or set of layers, at the rewind epoch that is best for the group."
    return make_view("rewinding", "Rewinding", pd.DataFrame(rows), texts, numbers, note=note, whole=table)


def _gradients(study):
    table = study.tables["gradients"]
    table, parts = table[table["form"] == "eq15"], []
    for seed, own in table.groupby("seed"):
        for moment, epoch in (("first", own["epoch"].min()), ("last", own["epoch"].max())):
            rows = own[own["epoch"] == epoch].sort_values("layer_number")
            norms = rows.set_index(["layer", "group", "part"])["squared_norm"].unstack(["group", "part"], sort=False)
            found = pd.DataFrame({"layer": norms.index, "seed": seed, "moment": moment})
            for name, (_, above, below) in RATIOS.items():
                there = above in norms and below in norms
                found[name] = (norms[above] / norms[below]).to_numpy() if there else float("nan")
            parts.append(found)
    numbers = {name: Number(title, ".3g") for name, (title, *_) in RATIOS.items()}
    texts = {"moment": "epoch measured", "layer": "layer"}
    note = "Ratios of squared norms of the label-dependent (dep) and label-independent (ind) parts, equation 15."
    title = "Gradients"
    return make_view("gradients", title, pd.concat(parts), texts, numbers, note=note, whole=study.tables["gradients"])


def _decoding_choice(study):
    rows = words.decoding_rows(study)
    numbers = {
        "input": Number("raw input", "percent"),
        "untrained": Number("untrained, oracle layer", "percent"),
        "test_accuracy": Number("layer chosen on held-out examples", "percent", beside="layer"),
        "clean_test_accuracy": Number("same, by their true labels", "percent", beside="clean_layer"),
        "oracle_test_accuracy": Number("oracle layer (chosen on test)", "percent", beside="oracle_layer"),
    }
    note = (
        "Test accuracy at the final epoch. Held-out examples are a tenth of the training set, held out from the probe. "
        "The network was trained on them, so by assigned labels the layer that memorized most looks best."
    )
    texts, whole = {"method": "probe", "labels": "fitted to"}, study.tables["decoding_choice"]
    return make_view("decoding_choice", "Probes of the layers", rows, texts, numbers, note=note, whole=whole)


def _decoding(study):
    table = study.tables["decoding"]
    final = {seed: final_epoch(study.metrics_of(seed)) for seed in study.seeds}
    rows = table[table["epoch"] == table["seed"].map(final)].sort_values(["method", "labels", "layer_number"])
    numbers = {
        "train_accuracy": Number("training, assigned labels", "percent"),
        "restored_accuracy": Number("permuted, true labels", "percent"),
        "validation_accuracy": Number("held out, assigned labels", "percent"),
        "test_accuracy": Number("test", "percent"),
        "most_components": Number("components, at most", "d"),
    }
    texts = {"method": "probe", "labels": "fitted to", "layer": "layer"}
    note = "Accuracy of every probe on every layer at the final epoch."
    return make_view("decoding", "Probes, layer by layer", rows, texts, numbers, note=note, whole=table)


def _capacity_check(study):
    table = study.tables["capacity_check"]
    numbers = {
        **_if_there(table, JOINT_CHECK),
        "mean_field_capacity": Number("mean-field", ".4f"),
        "mean_field_standard_error": Number("± standard error", ".4f"),
        "simulated_capacity": Number("simulated", ".4f"),
        "simulated_standard_error": Number("± standard error", ".4f"),
        "bound": Number("a bound only", "d"),
    }
    rows = table.sort_values(["epoch", "group", "layer_number"])
    texts = {"epoch": "epoch", "group": "group", "layer": "layer"}
    note = (
        "A bound of -1: all dimensions of the points together separate less than half of the labelings, so the "
        "capacity is below; of 1: a single feature separates half, so it is above."
    )
    return make_view("capacity_check", "Capacity by theory and by simulation", rows, texts, numbers, note=note)


def _examples(study):
    texts = {"group": "group", "example": "example", "true": "true label", "assigned": "assigned label"}
    return make_view("examples", "Examples shown", study.tables["examples"], texts, {})


def _umap(study):
    rows = (
        study.tables["umap"]
        .groupby(["seed", "stage", "layer", "group"], sort=False)
        .size()
        .rename("points")
        .reset_index()
    )
    texts, whole = {"stage": "epoch", "layer": "layer", "group": "group"}, study.tables["umap"]
    return make_view("umap", "Embedded examples", rows, texts, {"points": Number("points", "d")}, whole=whole)


def _double_descent(study):
    numbers = {
        "num_parameters": Number("parameters", "d"),
        "train_accuracy": Number("training", "percent"),
        "test_accuracy": Number("test", "percent"),
        "capacity": Number("capacity", ".4f"),
        "radius": Number("radius", ".3f"),
        "dimension": Number("dimension", ".2f"),
        "examples_per_class": Number("M, examples per class", "d"),
        "center_correlation": Number("center correlation", ".3f"),
    }
    rows = study.tables["double_descent"].sort_values(["moment", "width"])
    return make_view("double_descent", "By width", rows, {"moment": "epoch", "width": "width"}, numbers)


def _sweep(study):
    """Accuracies of the runs of a sweep, by what varies."""
    rows = []
    for key, metrics in study.tables["metrics"].groupby([*study.varies, "seed"]):
        indexed, best, final = metrics.set_index("epoch"), best_epoch(metrics), final_epoch(metrics)
        row = dict(zip([*study.varies, "seed"], key, strict=True)) | {"best": indexed.loc[best, "test_accuracy"]}
        rows.append(row | {f"{group}_final": indexed.loc[final, f"{group}_accuracy"] for group in words.GROUPS})
    numbers = {"best": Number("test, best epoch", "percent")}
    numbers |= {f"{group}_final": Number(f"{group}, final", "percent") for group in words.GROUPS}
    texts, whole = {name: name.replace("_", " ") for name in study.varies}, study.tables["metrics"]
    return make_view("metrics", "Accuracies of the runs", pd.DataFrame(rows), texts, numbers, whole=whole)


# Table -> (the other tables that its view needs, the view); what is not here is shown as it is.
VIEWS: dict[str, tuple[set[str], Callable[[Study], View]]] = {
    "metrics": (set(), accuracy_view),
    "geometry": ({"metrics"}, _geometry),
    "rewinding": ({"metrics"}, _rewinding),
    "gradients": (set(), _gradients),
    "decoding_choice": ({"metrics", "decoding"}, _decoding_choice),
    "decoding": ({"metrics"}, _decoding),
    "capacity_check": (set(), _capacity_check),
    "examples": (set(), _examples),
    "umap": (set(), _umap),
    "double_descent": (set(), _double_descent),
}
VIEWS_OF_SWEEPS = {"metrics": (set(), _sweep)}


def views(study: Study) -> list[View]:
    """All tables of a study, those with a view of their own first.

    Args:
      study: the tables.

    Returns:
      Views.
    """
    there = study.tables.keys()
    known = VIEWS_OF_SWEEPS if study.kind == "sweep" else VIEWS
    own = {name: make for name, (others, make) in known.items() if {name, *others} <= there}
    return [make(study) for make in own.values()] + [
        plain_view(name, name.replace("_", " ").capitalize(), table)
        for name, table in study.tables.items()
        if name not in own
    ]
