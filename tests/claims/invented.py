"""Tables on which every claim holds, made by rules simple enough to have each value by hand; and ways to spoil them."""

import pathlib

import numpy as np
import pandas as pd
import pytest

from memorize_jax import models
from memorize_jax.claims.sheet import judge
from memorize_jax.claims.statement import HOLDS
from memorize_jax.measurements import registry
from memorize_jax.storage.tables import JOINT, METRICS, RESAMPLED
from memorize_jax.studies.study import Study, three_layers

GROUPS = ("unpermuted", "permuted", "restored", "test")
BEST, FINAL = 2, 4
METRICS_ROWS = [
    # epoch, loss, train, unpermuted, permuted, restored, test, seconds
    (0, 2.3, 0.1, 0.1, 0.1, 0.1, 0.1, 1.0),
    (1, 2.2, 0.4, 0.6, 0.1, 0.6, 0.6, 1.0),
    (2, 1.5, 0.55, 0.95, 0.1, 0.9, 0.9, 1.0),
    (3, 0.8, 0.8, 0.99, 0.5, 0.5, 0.8, 1.0),
    (4, 0.1, 0.995, 1.0, 0.99, 0.1, 0.6, 1.0),
]
# What each group's measures are at the best epoch, in units of the restored ones.
TEST = {"joint_capacity": 1 / 1.05, "radius": 1 / 1.02, "dimension": 1 / 1.03}
# Mean-field capacity in units of the joint one.
MEAN_FIELD = 1.2


def _geometry(layers):
    hidden = layers[:-1]
    last = len(hidden) - 4 if len(hidden) > 10 else len(hidden) - 1
    rows = []
    for epoch in (BEST, FINAL):
        for position, layer in enumerate(("input", *layers)):
            for group in GROUPS:
                # M = 50, so the bound is 0.04 and permuted capacity 1.1 times that.
                numbers = {"joint_capacity": 0.044 if group == "permuted" else 0.05 * 1.2**position}
                # What has true labels untangles.
                depth = 1.0 if group == "permuted" else 0.95**position
                numbers |= {"radius": depth, "dimension": 10 * depth, "center_correlation": 0.02}
                if group == "test":
                    numbers |= {name: numbers[name] * factor for name, factor in TEST.items()}
                if group == "test" and layers[0] == "conv1":
                    numbers["joint_capacity"] *= 1.1
                if epoch == FINAL and position > 0:
                    late = position > last
                    change = {"permuted": 3.0, "restored": 0.5}.get(group, 1.0) if late else 1.02
                    numbers["joint_capacity"] *= change
                    if late and group == "permuted":
                        numbers |= {"radius": 0.7, "dimension": 8.0}
                numbers["capacity"] = MEAN_FIELD * numbers["joint_capacity"]
                common = {"epoch": epoch, "layer": layer, "layer_number": position, "group": group}
                common |= dict.fromkeys(("capacity_standard_error", "joint_capacity_standard_error"), 4e-4)
                common |= {"examples_per_class": 50, "kappa": 0.0, "num_center_components": 2 + (position == 1)}
                rows.append({**dict.fromkeys((*JOINT, *RESAMPLED), np.nan), **common, **numbers, "joint_status": 0})
    return pd.DataFrame(rows)


def _rewinding(layers):
    shares = dict.fromkeys(layers, 0.2) | {layers[0]: 0.0, layers[-2]: 0.95}
    settled = dict.fromkeys(layers, 2) | {layers[0]: 3, layers[-2]: 1}
    rows = []
    for number, layer in enumerate(layers, 1):
        for epoch in range(5):
            common = {"into": "final", "layer": layer, "layer_number": number, "num_layers": 1, "rewind_epoch": epoch}
            # In networks of convolutions the last layer gives as much back at epoch 0.
            at_peak = epoch == BEST or (epoch == 0 and layers[0] == "conv1" and layer == layers[-2])
            test = 0.6 + 0.3 * shares[layer] if at_peak else 0.6
            known = {"test_accuracy": test, "restored_accuracy": 0.1 + 0.8 * shares[layer] if at_peak else 0.1}
            rows.append({**common, "train_accuracy": 0.95 if epoch >= settled[layer] else 0.5, **known})
    return pd.DataFrame(rows).assign(source="self")


# (unpermuted dep, unpermuted ind, permuted dep, permuted ind) by epoch, the same in every layer, by equation 15.
NORMS = dict.fromkeys((0, 1), (8.0, 1.0, 0.5, 1.2)) | dict.fromkeys((2, 3), (8.0, 1.0, 5.0, 1.2))
NORMS |= {4: (16.0, 12.0, 10.0, 9.6)}
# By equation 16 ind is smaller.
IND_BY_EQUATION_16 = 0.8


def _gradients(layers):
    rows = []
    for epoch, (dep_u, ind_u, dep_p, ind_p) in NORMS.items():
        for position, layer in enumerate(layers):
            found = {("unpermuted", "dep"): dep_u, ("unpermuted", "ind"): ind_u}
            found |= {("permuted", "dep"): dep_p, ("permuted", "ind"): ind_p}
            full = {("unpermuted", "full"): 1.5, ("permuted", "full"): 1.0 if epoch else 0.25}
            full |= {("all", "full"): 1.0 + (position > 0)}
            common = {"epoch": epoch, "layer": layer}
            for form, smaller in (("eq15", 1.0), ("eq16", IND_BY_EQUATION_16)):
                for (group, part), norm in (found | (full if form == "eq15" else {})).items():
                    norm *= smaller if part == "ind" else 1.0
                    rows.append({**common, "form": form, "group": group, "part": part, "squared_norm": norm})
    return pd.DataFrame(rows).assign(weighting="subset", num_examples=5000.0, data_classes=10.0)


def _decoding(layers):
    accuracies = dict(zip(("input", *layers), (0.9, 0.7, 0.75, *[0.65] * len(layers)), strict=False))
    rows = [{"layer": layer, "test_accuracy": accuracy} for layer, accuracy in accuracies.items()]
    return pd.DataFrame(rows).assign(epoch=FINAL, method="masc", labels="assigned")


def _retraining(layers):
    """Put back, the network knows as much of true as of assigned labels; retrained, the last layer keeps least."""
    rows = [{"layer": "none", "num_layers": 0, "rewind_epoch": FINAL, "retrained_epochs": 0}]
    rows[0] |= {"permuted_accuracy": 0.99, "restored_accuracy": 0.09}
    for number, layer in enumerate(layers, 1):
        common = {"layer": layer, "layer_number": number, "num_layers": 1, "rewind_epoch": 0}
        kept = 0.54 if layer == layers[-1] else 0.9
        for epochs, restored in ((0, 0.5), (7, 0.5 - kept / 2)):
            known = {"permuted_accuracy": 1 - restored, "restored_accuracy": restored}
            rows.append({**common, "retrained_epochs": epochs, **known})
    return pd.DataFrame(rows)


def _flipping(layers):
    """Nine examples of each kind, in all layers and in the first; one of the unpermuted ones never flips."""
    rows = []
    for place, layer in enumerate(("any", layers[0])):
        for is_permuted, counts in ((True, (1, *[2] * 7, 9)), (False, (2, *[8] * 7, 100))):
            common = {"is_permuted": is_permuted, "layer": layer, "layer_number": place}
            rows += [{**common, "num_flipped": count, "is_flipped": count < 100} for count in counts]
    return pd.DataFrame(rows)


def _flipping_layers(layers):
    """A quarter of the units in the first layer, of 48 examples: its standard error is 0.0625."""
    hidden = layers[:-1]
    rest = 0.75 / (len(hidden) - 1)
    rows = [
        {"is_permuted": is_permuted, "layer": layer, "share": rest if number else 0.25}
        for is_permuted in (True, False)
        for number, layer in enumerate(hidden)
    ]
    return pd.DataFrame(rows).assign(num_examples=48)


def _umap(layers):
    """Two classes of two points each: at one epoch beside the other one of the class, at the other beside the other."""
    apart, mixed = [(0, 0), (0, 1), (9, 0), (9, 1)], [(0, 0), (9, 1), (0, 1), (9, 0)]
    rows = []
    for group, places in {"permuted": (mixed, apart), "restored": (apart, mixed)}.items():
        for epoch, found in zip((BEST, FINAL), places, strict=True):
            for (x, y), label in zip(found, (0, 0, 1, 1), strict=True):
                own = {"assigned": label, "true": 1 - label}
                rows.append({"epoch": epoch, "layer": layers[-2], "group": group, "x": x, "y": y, **own})
    return pd.DataFrame(rows)


def _collapse(layers):
    """Permuted examples leave their true class in the last third of the hidden layers alone, and in the output."""
    hidden = layers[:-1]
    late = len(hidden) - max(1, len(hidden) // 3)
    rows = []
    for epoch in (BEST, FINAL):
        for position, layer in enumerate(layers):
            drift = {BEST: 0.05, FINAL: 0.6 if position >= late else 0.02}[epoch]
            # NC1 by true and by assigned labels.
            true, assigned = (3.0, 1.5) if (epoch, layer) == (FINAL, layers[-1]) else (0.5, 5.0)
            own = {"epoch": epoch, "layer": layer, "nc1_true": true, "nc1_assigned": assigned}
            rows += [{**own, "group": "permuted", "drift": drift}, {**own, "group": "train", "drift": np.nan}]
    return pd.DataFrame(rows)


def _per_example():
    """Two examples of each kind; what is wrong is learned three times as late."""
    wrong = [False, False, True, True]
    scores = {"learned_epoch": [1, 1, 3, 3], "cumulative_loss": [1.0, 2.0, 3.0, 4.0]}
    others = dict.fromkeys(("aum", "forgotten", "loss_best", "prediction_depth_final"), 0.5)
    common = {"example": range(4), "true": 0, "assigned": 1 * np.array(wrong), "is_permuted": wrong}
    return pd.DataFrame({**common, **scores, **others})


def _scores():
    """Memorization of the same examples; name -> table."""
    own = _per_example()[["example", "true", "assigned", "is_permuted"]].assign(memorization=[0.0, 0.2, 0.8, 1.0])
    return {"memorization_scores": own, "subset_runs": pd.DataFrame({"subset_accuracy": [0.99, 1.0]})}


def _per_example_auroc():
    found = {"loss_best": 0.95, "prediction_depth_best": 0.55, "prediction_depth_final": 0.9}
    return pd.DataFrame({"score": list(found), "auroc": list(found.values())})


def _capacity_check(layers):
    """Joint capacity is off by 2, 4 and 100 %, mean-field by 50, 60 and 100 %; the input was measured twice."""
    found = {"input": (BEST, 1.02, 1.5), layers[0]: (BEST, 1.04, 1.6), layers[1]: (BEST, 2.0, 2.0)}
    rows = [
        {"epoch": epoch, "layer": layer, "joint_capacity": joint, "mean_field_capacity": mean_field}
        for layer, (epoch, joint, mean_field) in [*found.items(), ("input", (FINAL, 1.02, 1.5))]
    ]
    return pd.DataFrame(rows).assign(
        group="test",
        simulated_capacity=1.0,
        simulated_standard_error=0.01,
        bound=0,
        joint_status=0,
        examples_per_class=50,
    )


# One-shot error of late layers at the best and the final epoch.
ONE_SHOT = {"permuted": (0.5, 0.25), "restored": (0.05, 0.25), "unpermuted": (0.02, 0.04), "test": (0.05, 0.1)}


def _few_shot(layers):
    rows = []
    for group, errors in ONE_SHOT.items():
        for epoch, late in zip((BEST, FINAL), errors, strict=True):
            for position, layer in enumerate(layers):
                error = late if position >= len(layers) - 2 else errors[0]
                common = {"epoch": epoch, "layer": layer, "layer_number": position, "group": group}
                rows += [{**common, "num_shots": shots, "simulated": error / shots} for shots in (1, 5)]
    return pd.DataFrame(rows)


def _similarity(layers):
    """Late layers of the final network are like those of the best epoch by 0.6, like those of its twin by 0.4."""
    rows = []
    for run, epoch_b, late in (("this", BEST, 0.6), ("other", 9, 0.4)):
        for position, layer in enumerate(layers):
            value = late if position >= len(layers) - 2 else 0.95
            own = {"layer_a": layer, "layer_b": layer, "epoch_a": FINAL, "epoch_b": epoch_b, "run_b": run}
            own["own_stage"] = "final" if run == "other" else ""
            rows.append({**own, "layer_number_a": position, "group": "permuted", "cka_debiased": value})
    return pd.DataFrame(rows).assign(permuted_fraction_b=0.0, seed_b=0)


def study(*, model="mlp", dataset="digits", seeds=(0,)) -> Study:
    """A run, or an ensemble of equal runs, with all tables that a run can have."""
    layers = tuple(models.layer_names(model))
    tables = {
        "metrics": pd.DataFrame(METRICS_ROWS, columns=METRICS),
        "geometry": _geometry(layers),
        "rewinding": _rewinding(layers),
        "gradients": _gradients(layers),
        "retraining": _retraining(layers),
        "flipping": _flipping(layers),
        "flipping_layers": _flipping_layers(layers),
        "decoding": _decoding(layers),
        "umap": _umap(layers),
        "collapse": _collapse(layers),
        "capacity_check": _capacity_check(layers),
        "per_example": _per_example(),
        "per_example_auroc": _per_example_auroc(),
        **_scores(),
        "few_shot": _few_shot(layers),
        "similarity": _similarity(layers),
    }
    tables = {name: pd.concat([table.assign(seed=seed) for seed in seeds]) for name, table in tables.items()}
    made_by = {table: name for table, (_, name) in registry.tables().items()}
    return Study(pathlib.Path("runs/mine"), model, dataset, 0.5, layers, tuple(seeds), tables, made_by=made_by)


def widths(seeds=(0,)) -> Study:
    """Networks of six widths."""
    final = {"test_accuracy": [0.3, 0.5, 0.4, 0.45, 0.6, 0.65], "dimension": [10, 7, 9, 8, 6, 5]}
    final |= {"radius": [1.5, 1.4, 1.3, 1.31, 1.0, 0.9], "center_correlation": [0.3, 0.21, 0.2, 0.15, 0.1, 0.05]}
    best = final | {"test_accuracy": [0.3, 0.5, 0.6, 0.65, 0.7, 0.75], "dimension": [10, 9, 8, 7, 6, 5]}
    fixed = {"width": [1, 2, 3, 4, 6, 8], "permuted_accuracy": 0.9, "restored_accuracy": 0.1}
    parts = [
        pd.DataFrame({**columns, **fixed, "moment": moment, "seed": seed})
        for moment, columns in (("best", best), ("final", final))
        for seed in seeds
    ]
    tables = {"double_descent": pd.concat(parts, ignore_index=True)}
    return Study(pathlib.Path("runs/widths"), "resnet18", "digits", 0.1, (), tuple(seeds), tables, ("width",))


def fractions(seeds=(0,), *, model="mlp") -> Study:
    """A sweep of three fractions; no example is permuted at 0, none is not at 1."""
    one = study(seeds=seeds, model=model)
    three = list(three_layers(one.layers).values())
    capacities = {0.0: (0.10, 0.20, 0.4), 0.5: (0.102, 0.21, 0.3), 1.0: (0.101, 0.19, 0.1)}
    parts = {"metrics": [], "geometry": []}
    for fraction, found in capacities.items():
        metrics, geometry = one.tables["metrics"].copy(), one.tables["geometry"].copy()
        if fraction == 0:
            # 0.9 at the peak.
            metrics.loc[metrics["epoch"] == FINAL, "test_accuracy"] = 0.8
        absent = {0.0: ["permuted", "restored"], 1.0: ["unpermuted"]}.get(fraction, [])
        metrics[[f"{group}_accuracy" for group in absent]] = np.nan
        for layer, capacity in zip(three, found, strict=True):
            own = (geometry["layer"] == layer) & (geometry["group"] != "permuted") & (geometry["epoch"] == FINAL)
            lead = geometry["group"].map({"unpermuted": 1.5 if layer == three[-1] else 1.04, "restored": 1.02})
            geometry.loc[own, "joint_capacity"] = capacity * lead.fillna(1)[own]
        geometry = geometry[~geometry["group"].isin(absent)]
        for name, table in (("metrics", metrics), ("geometry", geometry)):
            parts[name].append(table.assign(permuted_fraction=fraction, run=f"run{fraction}"))
    tables = {name: pd.concat(own, ignore_index=True) for name, own in parts.items()}
    own = {"workdir": pathlib.Path("runs/sweep"), "permuted_fraction": float("nan")}
    return one._replace(**own, tables=tables, axes=("permuted_fraction",))


# Permuted fraction -> test error at the epochs 0 and 1, 2 to 5, 6 to 16, 17 to 39.
OVER_EPOCHS = {0.0: (0.9, 0.5, 0.4, 0.4), 0.5: (0.9, 0.5, 0.6, 0.45), 0.8: (0.9, 0.7, 0.85, 0.8)}


def over_epochs(seeds=(0,)) -> Study:
    """A sweep of three fractions of which the middle one descends twice; the labels are fitted at epoch 10."""
    base, parts = fractions(seeds), []
    for fraction, errors in OVER_EPOCHS.items():
        for seed in seeds:
            accuracies = 1 - np.repeat(errors, (2, 4, 11, 23))
            own = {"epoch": np.arange(40), "test_accuracy": accuracies, "seed": seed, "permuted_fraction": fraction}
            own |= {"train_accuracy": (np.arange(40) >= 10) * 1.0, "unpermuted_accuracy": 1.0}
            parts.append(pd.DataFrame(own | {"run": f"run{fraction}"}))
    return base._replace(tables={"metrics": pd.concat(parts, ignore_index=True)})


def _rows(table: pd.DataFrame, where: dict) -> np.ndarray:
    found = np.ones(len(table), bool)
    for name, wanted in where.items():
        found &= table[name].isin(wanted if isinstance(wanted, tuple) else (wanted,)).to_numpy()
    return found


def edited(base: Study, table: str, column: str, value, **where) -> Study:
    """The study with some cells changed: where columns have the given values, or one of a tuple of them.

    The value is the new one, or a factor of the old one as text, "* 2".
    """
    changed = base.tables[table].reset_index(drop=True)
    rows = _rows(changed, where)
    assert rows.any()
    if isinstance(value, str) and value.startswith("* "):
        changed.loc[rows, column] *= float(value[2:])
    else:
        changed[column] = changed[column].astype(object if isinstance(value, str) else float)
        changed.loc[rows, column] = value
    return base._replace(tables={**base.tables, table: changed})


def by_seed(table: str, column: str, values, **where) -> Study:
    """An ensemble with a seed for each of these values, see `edited`."""
    base = study(seeds=tuple(range(len(values))))
    for seed, value in enumerate(values):
        base = edited(base, table, column, value, seed=seed, **where)
    return base


def without(base: Study, table: str, **where) -> Study:
    """The study without a table, or without its rows where columns have the given values."""
    rows = base.tables[table]
    others = {name: own for name, own in base.tables.items() if name != table}
    return base._replace(tables={**others, table: rows[~_rows(rows, where)]} if where else others)


def no_permuted(base: Study) -> Study:
    """The study as of a run without permuted labels, whatever its other tables have."""
    for group in ("permuted", "restored"):
        base = edited(base, "metrics", f"{group}_accuracy", np.nan, seed=base.seeds)
    return base


def stopped(base: Study) -> Study:
    """The study as of a run that was stopped before its last epoch, when it had not memorized."""
    return base._replace(tables={**base.tables, "metrics": base.tables["metrics"][:4]})


def judged(name: str, on: Study):
    """The claim of that name on a study."""
    return judge(next(one for one in registry.statements() if one.name == name), on)


def assert_judged(name: str, on: Study, verdict: str, measured: float) -> None:
    """The claim is decided so, on this number; what holds on one seed says so."""
    claim = judged(name, on)
    assert claim.verdict == (HOLDS[len(on.seeds) == 1] if verdict == "holds" else verdict)
    assert claim.measured == pytest.approx(measured, abs=1e-12)


def assert_not_testable(name: str, on: Study, reason: str) -> None:
    """The claim is not testable, for a reason with this in it."""
    claim = judged(name, on)
    assert (claim.verdict, reason in claim.reason) == ("not testable", True), claim.reason
