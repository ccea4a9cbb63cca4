"""How the layers of a run are compared: a unit of work for every epoch and kind of comparison."""

import functools

import jax
import numpy as np

from memorize_jax.analysis.similarity import all_layers, network_grams, same_layers
from memorize_jax.data import example_groups
from memorize_jax.epochs import STAGES
from memorize_jax.geometry.status import CHECKPOINT_DAMAGED
from memorize_jax.keys import stream
from memorize_jax.measurements.measurement import Work
from memorize_jax.measurements.similarity import GROUPS, OTHER, THIS, SimilaritySettings
from memorize_jax.runs.run import Run

# Kinds of comparison: of a layer with itself at the best epoch, of all layers; a stage stands for that of a layer with
# the same one of the other run, both at that stage of their own.
EPOCHS, LAYERS = "epochs", "layers"


def plan(run: Run, settings: SimilaritySettings) -> Work:
    """Compares the layers of the same examples of every group; an epoch whose network is damaged has no numbers."""
    runs = {THIS: run, **_other(run, settings)}
    images, counts = _images(run, settings.similarity_examples)
    width = max(counts.values(), default=0)
    names, numbers = zip(*run.layers.items(), strict=True)
    stages = _stages(run)
    best, final = stages.values()

    # The best network, and two that are compared; of all groups one program.
    @functools.lru_cache(maxsize=3)
    def grams(name, epoch):
        of, model = runs[name], runs[name].model()
        variables, options = of.network(epoch), {"statistics": of.statistics, "layers": names[1:]}
        return {
            group: network_grams(model, variables, own, np.arange(width) < counts[group], **options)
            for group, own in images.items()
        }

    def sides(unit):
        """(run, epoch) of either side."""
        epoch, kind = unit
        if kind in STAGES:
            return (THIS, epoch), (OTHER, _stages(runs[OTHER])[kind])
        return (THIS, epoch), (THIS, best if kind == EPOCHS else epoch)

    def pairs(kind):
        """Places of the two layers of every row, in the order of the comparison."""
        places = range(len(names))
        return [(a, b) for a in places for b in places if kind == LAYERS or a == b]

    def row(unit, group, layers, cka, debiased, status):
        (run_a, epoch_a), (run_b, epoch_b) = sides(unit)
        (a, b), config_b = layers, runs[run_b].config
        return {
            "seed": run.config.seed,
            **{"layer_a": names[a], "epoch_a": epoch_a, "run_a": run_a},
            **{"layer_b": names[b], "epoch_b": epoch_b, "run_b": run_b},
            **{"group": group, "cka": float(cka), "cka_debiased": float(debiased)},
            **{"layer_number_a": numbers[a], "layer_number_b": numbers[b], "num_examples": counts[group]},
            **{"permuted_fraction_b": config_b.permuted_fraction, "seed_b": config_b.seed, "status": int(status)},
            "own_stage": unit[1] if run_b == OTHER else "",
        }

    def rows(unit):
        of_a, of_b = (grams(*side) for side in sides(unit))
        compare, result = all_layers if unit[1] == LAYERS else same_layers, []
        for group in images:
            found = jax.device_get(compare(of_a[group], of_b[group], counts[group]))
            columns = (np.ravel(column).tolist() for column in found)
            result += [row(unit, group, *own) for own in zip(pairs(unit[1]), *columns, strict=True)]
        return result

    def instead(unit):
        lost = (float("nan"), float("nan"), CHECKPOINT_DAMAGED)
        return [row(unit, group, layers, *lost) for group in images for layers in pairs(unit[1])]

    def reads(unit):
        return [epoch for of, epoch in sides(unit) if of == THIS]

    def reads_of_others(unit):
        return [(runs[of], epoch) for of, epoch in sides(unit) if of == OTHER]

    units = []
    for epoch in run.select_epochs(settings.similarity_epochs):
        # All layers at the best epoch are among them each with itself.
        units += [(epoch, EPOCHS)] if epoch != best else []
        units += [(epoch, LAYERS)] if epoch in (best, final) else []
        units += [(epoch, stage) for stage in STAGES if OTHER in runs and epoch == stages[stage]]
    depends_on = settings.apart_from_epochs("other")
    return Work(units, rows, reads, reads_of_others, depends_on=depends_on, instead=instead, counted="comparison")


def _stages(run):
    """Best and final epoch of a run."""
    return dict(zip(STAGES, (run.best_epoch, run.final_epoch), strict=True))


def _other(run, settings):
    if not settings.other:
        return {}
    other = run.open_other(settings.other)
    if other.config.model != run.config.model:
        raise ValueError(f"expected {settings.other} to hold a run of {run.config.model}, got {other.config.model}")
    return {OTHER: other}


def _images(run, most):
    """Group -> images, filled up to the same number, and group -> how many of them count."""
    groups = example_groups(run.labels, run.splits.test.labels)
    chosen = {}
    for name in GROUPS:
        if len(indices := groups[name].indices):
            key = stream(stream(run.config.seed, "similarity examples"), name)
            order = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel()).permutation(indices)
            chosen[name] = np.sort(order[:most])
    width, images = max(map(len, chosen.values()), default=0), {}
    for name, own in chosen.items():
        source = run.splits.test if name == "test" else run.splits.train
        images[name] = source.images[np.pad(own, (0, width - len(own)), mode="edge")]
    return images, {name: len(own) for name, own in chosen.items()}
