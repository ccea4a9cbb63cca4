"""Studies with tables of made-up numbers: everything that figures are drawn from, without a run."""

import base64
import itertools
import pathlib

import numpy as np
import pandas as pd

from memorize_jax import models
from memorize_jax.data import GROUPS
from memorize_jax.figures.figure import ANY_FIELD
from memorize_jax.measurements import registry
from memorize_jax.measurements.collapse import COLUMNS as COLLAPSE
from memorize_jax.measurements.few_shot import COLUMNS as FEW_SHOT
from memorize_jax.measurements.retraining import RETRAINING
from memorize_jax.storage.tables import ADDED, CAPACITY_CHECK, DECODING, DOUBLE_DESCENT, GEOMETRY, REWINDING
from memorize_jax.studies.study import Study

EPOCHS = (0, 1, 2, 4, 8, 16)
WORKDIR = pathlib.Path("/made/up")
MADE_BY = {table: name for table, (_, name) in registry.tables().items()}


def _numbers(model):
    return {"input": 0, **{layer.name: layer.number for layer in models.layers(model)}}


def metrics(seeds=(0,), permuted=True):
    """Every seed is best at epoch 2 + its own number and ends at 16 + it."""
    rows = []
    for seed in seeds:
        for epoch in range(17 + seed):
            memorized = epoch / (16 + seed)
            test = 0.6 - 0.01 * abs(epoch - 2 - seed)
            accuracies = {"train": memorized, "unpermuted": min(1, 2 * memorized), "test": test}
            accuracies |= {"permuted": memorized**2 if permuted else np.nan, "restored": test if permuted else np.nan}
            named = {f"{name}_accuracy": value for name, value in accuracies.items()}
            rows.append({"seed": seed, "epoch": epoch, "loss": 1.0, **named, "seconds": 1.0})
    return pd.DataFrame(rows)


def geometry(model, seeds=(0,), groups=GROUPS, epochs=EPOCHS):
    rows = []
    for seed in seeds:
        for epoch in sorted({*epochs, 2 + seed, 16 + seed}):
            for index, group in enumerate(groups):
                for layer, number in _numbers(model).items():
                    capacity = 0.04 + 0.001 * number * (1 + index) * (1 + epoch / 8) + 0.003 * seed
                    row = dict.fromkeys(GEOMETRY, 0.0) | {"capacity_standard_error": 0.002, "examples_per_class": 50}
                    # Of the output the joint capacity is only a bound.
                    joint = {"utility": 0.5 + 0.01 * epoch, "radius": 1.5 - number / 100, "dimension": 20 - epoch / 8}
                    joint |= {"capacity": joint["utility"] * (1 + joint["radius"] ** -2) / joint["dimension"]}
                    joint |= {"capacity_standard_error": 0.001, "status": 128 * (layer == list(_numbers(model))[-1])}
                    row |= {f"joint_{name}": value for name, value in joint.items()} | {"example_repeats": 1}
                    row |= {"radius": 1.5 - 10 * capacity / 4, "dimension": 30 - 100 * capacity}
                    row |= {"seed": seed, "epoch": epoch, "layer": layer, "layer_number": number}
                    rows.append(row | {"group": group, "capacity": capacity, "center_correlation": 0.1 + 0.01 * number})
    return pd.DataFrame(rows)


def first_version(table):
    """The geometry, or the capacity check, as the first version wrote it, read by this one."""
    return table.assign(**{column: np.nan for column in ADDED & set(table)})


def capacity_check(model="mlp", seeds=(0,)):
    """Mean-field capacities lie above simulated ones, joint ones on them."""
    rows = geometry(model, seeds, epochs=())
    simulated = rows["capacity"] * 0.8
    found = {"mean_field_capacity": rows["capacity"], "joint_capacity": simulated, "simulated_capacity": simulated}
    errors = dict.fromkeys(("mean_field_standard_error", "joint_standard_error", "simulated_standard_error"), 0.002)
    fixed = {"num_classes": 10, "joint_classes": 10, "bound": rows["joint_status"].map({0: 0, 128: -1})}
    table = rows.drop(columns="joint_capacity").assign(**found, **errors, **fixed)
    return table.reindex(columns=["seed", *CAPACITY_CHECK[1:]])


def rewinding(model, seeds=(0,), into="final", source="self"):
    layers = [layer for layer in _numbers(model) if layer != "input"]
    units = [*([name] for name in layers), layers[-2:], layers[-3:]]
    rows = []
    for seed in seeds:
        for unit in units:
            for epoch in (*EPOCHS, 16 + seed):
                row = dict.fromkeys(REWINDING, 0.5) | {"seed": seed, "into": into, "layer": "+".join(unit)}
                row["source"] = source
                row |= {"layer_number": _numbers(model)[unit[-1]], "num_layers": len(unit), "rewind_epoch": epoch}
                rows.append(row | {"test_accuracy": 0.5 + 0.01 * row["layer_number"] / (1 + epoch) + 0.01 * seed})
    return pd.DataFrame(rows).drop_duplicates(["seed", "layer", "rewind_epoch"])


def swapped(model, seeds=(0,)):
    """Rows of the run's own layers, and of windows of another run's, both ways."""
    layers = [layer for layer in _numbers(model) if layer != "input"]
    windows = [layers[at : at + length] for length in (1, 2, len(layers)) for at in range(len(layers) - length + 1)]
    rows = []
    for seed in seeds:
        for into in ("final", "early"):
            for window in windows:
                row = dict.fromkeys(REWINDING, 0.5) | {"seed": seed, "into": into, "layer": "+".join(window)}
                row |= {"num_layers": len(window), "rewind_epoch": 9 + seed, "source": "runs/clean"}
                rows.append(row | {"test_accuracy": 0.6 + 0.03 * len(window), "train_accuracy": 0.9})
    return pd.concat([rewinding(model, seeds), pd.DataFrame(rows)], ignore_index=True)


def retraining(model, seeds=(0,)):
    rows = []
    for seed in seeds:
        known = dict.fromkeys(RETRAINING, 0.9) | {"seed": seed, "restored_accuracy": 0.1, "retrained_epochs": 0}
        rows.append(known | {"layer": "none", "num_layers": 0, "rewind_epoch": 16 + seed})
        for layer, number in _numbers(model).items():
            for epochs in (0, 1, 2, 4, 6 + seed):
                row = known | {"layer": layer, "layer_number": number, "num_layers": 1, "rewind_epoch": 0}
                row |= {"retrained_epochs": epochs, "permuted_accuracy": 0.4 + 0.02 * number / (1 + epochs)}
                rows.append(row)
    return pd.DataFrame([row for row in rows if row["layer"] != "input"])


def flipping(model, seeds=(0,)):
    """Name -> table."""
    hidden = {layer: number for layer, number in list(_numbers(model).items())[1:-1]}
    rows, layers = [], []
    for seed in seeds:
        for is_permuted in (True, False):
            common = {"seed": seed, "is_permuted": is_permuted}
            for layer, number in {"any": 0, **hidden}.items():
                for example in range(4):
                    count = (1 + example) * (1 if is_permuted else 3) + number
                    own = {"layer": layer, "layer_number": number, "num_flipped": count, "is_flipped": count < 12}
                    rows.append(common | own | {"example": example})
            for layer, number in hidden.items():
                share = {"share": 1 / len(hidden), "share_of_units": 1.2 / len(hidden), "num_examples": 4 + seed}
                layers.append(common | share | {"layer": layer, "layer_number": number})
    return {"flipping": pd.DataFrame(rows), "flipping_layers": pd.DataFrame(layers)}


def gradients(model, seeds=(0,), groups=("all", "unpermuted", "permuted")):
    rows = [
        {"seed": seed, "epoch": epoch, "layer": layer, "layer_number": number, "group": group, "part": part}
        | {"form": "eq15", "weighting": "subset"}
        | {"squared_norm": 10.0 ** (number / 10 - epoch / 8 - (part > "dep") - (group > "all") / 2)}
        for seed in seeds
        for epoch in (*EPOCHS, 16 + seed)
        for layer, number in _numbers(model).items()
        if layer != "input"
        for group in groups
        for part in ("full", "dep", "ind")
    ]
    return pd.DataFrame(rows).drop_duplicates()


def per_example(model, seeds=(0,)):
    """Every other example is mislabeled; of these each fourth is never learned."""
    parts = []
    for seed in seeds:
        number, wrong = np.arange(40), np.arange(40) % 2
        learned = np.where(wrong, np.where(number % 8 == 1, 17 + seed, 10), number // 10)
        rows = pd.DataFrame({"seed": seed, "example": number, "true": 0, "assigned": wrong, "is_permuted": wrong == 1})
        depth = {"prediction_depth_best": number % 3, "prediction_depth_final": wrong * len(_numbers(model))}
        depth |= {"cumulative_loss": 1.0 + number + 50 * wrong, "aum": 1.0 - wrong, "forgotten": 0, "loss_best": 0.1}
        parts.append(rows.assign(learned_epoch=learned, num_epochs=17 + seed, num_probes=len(_numbers(model)), **depth))
    return pd.concat(parts)


def scores(seeds=(0,)):
    """Name -> table: what is mislabeled is memorized."""
    number = np.arange(40)
    own = pd.DataFrame({"example": number, "true": 0, "assigned": number % 2, "is_permuted": number % 2 == 1})
    own = own.assign(memorization=0.02 * (number % 10) + 0.8 * own["assigned"])
    runs = pd.DataFrame({"subset": range(80), "subset_accuracy": 0.99})
    tables = {"memorization_scores": own, "subset_runs": runs}
    return {name: pd.concat([table.assign(seed=seed) for seed in seeds]) for name, table in tables.items()}


def decoding(model, seeds=(0,)):
    methods = ("masc", "masc_0.75", "masc_1", "class_mean", "lda", "knn", "logistic")
    rows = []
    for seed in seeds:
        for epoch in (0, 2 + seed, 16 + seed):
            common = dict.fromkeys(DECODING, 0.5) | {"seed": seed, "epoch": epoch}
            rows.append({**common, "layer": "", "method": "network", "labels": "", "test_accuracy": 0.4})
            for labels in ("assigned", "true"):
                rows.append({**common, "layer": "", "method": "edited_network", "labels": labels})
                for layer, number in _numbers(model).items():
                    row = {**common, "layer": layer, "layer_number": number, "labels": labels}
                    rows += [
                        row | {"method": method, "test_accuracy": 0.3 + index / 20 + number / 200}
                        for index, method in enumerate(methods)
                    ]
    return pd.DataFrame(rows)


def collapse(model, seeds=(0,)):
    """Drift grows with depth and training; classes are tight by true labels early, by assigned ones late."""
    groups = {"unpermuted": np.nan, "permuted": 1.0, "restored": np.nan, "test": np.nan, "train": np.nan}
    rows = []
    for seed in seeds:
        for epoch in sorted({*EPOCHS, 2 + seed, 16 + seed}):
            for layer, number in _numbers(model).items():
                depth = number / max(_numbers(model).values())
                for group, drifts in groups.items():
                    row = dict.fromkeys(COLLAPSE, 0.0) | {"seed": seed, "epoch": epoch, "group": group, "layer": layer}
                    row |= {
                        "layer_number": number,
                        "drift": drifts * depth * epoch / 20,
                        "drift_share": drifts * depth / 2,
                    }
                    rows.append(row | {"nc1_true": 1 + depth * epoch / 8 + seed / 50, "nc1_assigned": 6 - 4 * depth})
    return pd.DataFrame(rows)


def similarity(model="mlp", seeds=(0,), other=True):
    """Every layer against itself at the best epoch, all at the best and the final one, those of another run there."""
    rows, numbers = [], _numbers(model)
    for seed in seeds:
        best, final = 2 + seed, 16 + seed
        pairs = [(epoch, best, "", [(layer, layer) for layer in numbers]) for epoch in EPOCHS if epoch != best]
        pairs += [(final, best, "", [(layer, layer) for layer in numbers])] if final not in EPOCHS else []
        for stage, epoch in (("best", best), ("final", final)):
            pairs += [(epoch, epoch, "", [(a, b) for a in numbers for b in numbers])]
            pairs += [(epoch, epoch, stage, [(layer, layer) for layer in numbers])] if other else []
        for epoch_a, epoch_b, stage, layers in pairs:
            run = "other" if stage else "this"
            for index, group in enumerate(("unpermuted", "permuted", "test")):
                for a, b in layers:
                    apart = abs(numbers[a] - numbers[b]) + numbers[a] * (abs(epoch_a - epoch_b) / 16 + (run == "other"))
                    row = {"seed": seed, "layer_a": a, "epoch_a": epoch_a, "run_a": "this", "layer_b": b}
                    row |= {"epoch_b": epoch_b, "run_b": run, "group": group, "layer_number_a": numbers[a]}
                    row |= {"layer_number_b": numbers[b], "permuted_fraction_b": 0.0, "seed_b": seed, "status": 0}
                    value = 1 - apart * (1 + index / 5) / 60 - seed / 500
                    rows.append(row | {"cka": value, "cka_debiased": value, "num_examples": 100, "own_stage": stage})
    return pd.DataFrame(rows)


def few_shot(model="mlp", seeds=(0,)):
    """Errors fall with depth, but for permuted examples at the best epoch; predictions lie a tenth lower."""
    rows = []
    for seed in seeds:
        for epoch in (2 + seed, 16 + seed):
            for index, group in enumerate(GROUPS):
                for layer, number in _numbers(model).items():
                    for shots in (1, 5):
                        row = dict.fromkeys(FEW_SHOT, 0.5) | {"seed": seed, "epoch": epoch, "layer": layer}
                        error = (0.4 - 0.02 * index - number / 200) / shots + seed / 100
                        row |= {"simulated": error, "predicted_full": 0.9 * error, "num_shots": shots}
                        rows.append(row | {"group": group, "layer_number": number, "examples_per_class": 30})
    return pd.DataFrame(rows)


def study(model="mlp", seeds=(0,), workdir=WORKDIR):
    """A run, or an ensemble, with every table."""
    read = decoding(model, seeds)
    tables = {
        "metrics": metrics(seeds),
        "geometry": geometry(model, seeds),
        "capacity_check": capacity_check(model, seeds),
        "collapse": collapse(model, seeds),
        "rewinding": swapped(model, seeds),
        "retraining": retraining(model, seeds),
        **flipping(model, seeds),
        "gradients": gradients(model, seeds),
        "per_example": per_example(model, seeds),
        "few_shot": few_shot(model, seeds),
        "similarity": similarity(model, seeds),
        "decoding": read,
        "decoding_choice": read[["seed", "epoch"]].drop_duplicates(),
    }
    layers = tuple(models.layer_names(model))
    return Study(workdir, model, "digits", 0.5, layers, tuple(seeds), tables, made_by=MADE_BY)


def shown(seeds=(0,), dataset="digits"):
    """A run, or an ensemble, with the tables of which figures show the first seed."""
    tables = {"metrics": metrics(seeds), "per_example": per_example("mlp", seeds)}
    image = {"height": 2, "width": 2, "channels": 1, "pixels": base64.b64encode(bytes(4 * [9])).decode()}
    rows = {"examples": [], "per_example_images": [], "umap": [], "spheres": []}
    for seed in seeds:
        for index in range(8):
            own = {"seed": seed, "example": index, "label": index % 2, "true": index % 2, "assigned": 0}
            axes = {f"axis_{axis}": np.sin(index + axis) for axis in range(5)}
            place = {"epoch": 16, "stage": "final", "x": index, "y": seed}
            for group in ("unpermuted", "permuted"):
                rows["examples"].append(own | image | {"group": group})
                rows["umap"].append(own | place | {"group": group, "layer": "linear5", "layer_number": 5})
            for kind in ("most", "least"):
                rows["per_example_images"].append(own | image | {"memorized": kind, "learned_epoch": index})
            rows["spheres"].append(own | axes)
    tables |= {name: pd.DataFrame(own) for name, own in rows.items()} | scores(seeds)
    return Study(WORKDIR, "mlp", dataset, 0.5, tuple(models.layer_names("mlp")), tuple(seeds), tables, made_by=MADE_BY)


def sweep(networks=("alexnet",), seeds=(0,), fractions=(0.0, 0.5, 1.0)):
    """Runs of several fractions, of one or several networks."""
    parts = {"metrics": [], "geometry": []}
    for model in networks:
        for fraction in fractions:
            absent = {0.0: {"permuted", "restored"}, 1.0: {"unpermuted"}}.get(fraction, set())
            groups = [group for group in GROUPS if group not in absent]
            known = {"run": f"{model}{fraction}", "model": model, "dataset": "digits", "permuted_fraction": fraction}
            parts["metrics"].append(metrics(seeds).assign(**known))
            own = geometry(model, seeds, groups, ())
            parts["geometry"].append(own.assign(capacity=own["capacity"] * (1 + fraction), **known))
    axes = ("permuted_fraction", *(("model",) if len(networks) > 1 else ()))
    layers = tuple(models.layer_names(networks[0])) if len(networks) == 1 else ()
    tables = {name: pd.concat(own, ignore_index=True) for name, own in parts.items()}
    return Study(WORKDIR, ", ".join(networks), "digits", np.nan, layers, tuple(seeds), tables, axes, made_by=MADE_BY)


def grid(fields, seeds=(0,), model="mlp"):
    """Runs of all combinations of settings, which memorize the later in the network the larger these are."""
    parts = {"metrics": [], "geometry": []}
    for number, values in enumerate(itertools.product(*fields.values())):
        known = {"run": f"run{number}", "model": model, "dataset": "digits", "permuted_fraction": 0.5}
        known |= dict(zip(fields, values, strict=True))
        own, rows = metrics(seeds), geometry(model, seeds, epochs=())
        parts["metrics"].append(own.assign(test_accuracy=own["test_accuracy"].where(own["epoch"] > 0, 0.1), **known))
        risen = rows["epoch"] > 15
        joint = 0.04 * (1 + risen * (rows["layer_number"] / 6) ** (1 + number) * (1 + rows["seed"] / 10))
        parts["geometry"].append(rows.assign(joint_capacity=joint, **known))
    tables = {name: pd.concat(own, ignore_index=True) for name, own in parts.items()}
    layers = tuple(models.layer_names(model))
    return Study(WORKDIR, model, "digits", 0.5, layers, tuple(seeds), tables, tuple(fields), made_by=MADE_BY)


def descent(seeds=(0,), widths=(1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)):
    """Networks of the paper's widths."""
    rows = [
        dict.fromkeys(DOUBLE_DESCENT, 0.5)
        | {"seed": seed, "width": width, "num_parameters": 2000 * width**2, "moment": moment, "layer": "conv20"}
        | {"test_accuracy": 0.5 + width / 200 + seed / 50, "dimension": 20 - width / 8, "examples_per_class": 50}
        | {"kappa": 0.0}
        for seed in seeds
        for width in widths
        for moment in ("best", "final")
    ]
    layers = tuple(models.layer_names("resnet18"))
    tables = {"double_descent": pd.DataFrame(rows)}
    return Study(WORKDIR, "resnet18", "cifar100", 0.1, layers, tuple(seeds), tables, ("width",), made_by=MADE_BY)


def bounds(table, **where):
    """The table with joint capacities that are upper bounds only where columns have these values, or one of them."""
    there = pd.Series(True, table.index)
    for column, values in where.items():
        there &= table[column].isin(np.atleast_1d(values).tolist())
    return table.assign(joint_status=np.where(there, 128, 0))


def changed(base, **tables):
    """The study with other tables, or with one less: None."""
    new = {name: table for name, table in (base.tables | tables).items() if table is not None}
    return base._replace(tables=new)


# The studies that most figures are drawn from, once.
RUN, THREE, DEEP = study(), study(seeds=(0, 1, 2)), study("resnet18_tiny")
SWEEP, SWEEP_OF_THREE, WIDTHS, WIDTHS_OF_THREE = sweep(), sweep(seeds=(0, 1, 2)), descent(), descent((0, 1, 2))
FIELDS = {"learning_rate": (1e-4, 1e-3), "width": (64, 256)}
GRID, GRID_OF_THREE = grid(FIELDS), grid(FIELDS, (0, 1, 2))
SHOWN, SHOWN_OF_TWO = shown((3,), "spheres"), shown((3, 4), "spheres")


def of_axes(axes, seeds=1):
    """A study that a figure with these axes can be drawn from, of one or of three seeds."""
    studies = {(): (RUN, THREE), ("permuted_fraction",): (SWEEP, SWEEP_OF_THREE), ("width",): (WIDTHS, WIDTHS_OF_THREE)}
    return (studies | {ANY_FIELD: (GRID, GRID_OF_THREE)})[axes][seeds > 1]
