"""How few-shot learning of a run is measured: a unit of work for every epoch and group."""

import jax
import numpy as np

from memorize_jax.analysis.examples import choose_examples
from memorize_jax.analysis.settings import GeometrySettings
from memorize_jax.geometry.status import CHECKPOINT_DAMAGED, TOO_FEW
from memorize_jax.keys import stream
from memorize_jax.measurements.few_shot import COLUMNS, FewShotSettings, draw_bytes
from memorize_jax.measurements.few_shot.network import FewShot, network_few_shot
from memorize_jax.measurements.few_shot.pairs import predicted_error, signal_to_noise
from memorize_jax.measurements.measurement import Work
from memorize_jax.memory import check_fits
from memorize_jax.runs.run import Run

OF_PAIRS = ("signal", "bias", "dimension", "csa", "csb", "ss")


def plan(run: Run, settings: FewShotSettings, geometry: GeometrySettings) -> Work:
    """Measures the manifolds of every group at every epoch; of a damaged network there are rows without numbers."""
    seed, train, test = run.config.seed, run.splits.train, run.splits.test
    examples = choose_examples(run.splits, run.labels, geometry, seed=seed)
    for own in examples.values():
        check_fits("few_shot with these settings", draw_bytes(settings, len(own), own.size), "lower --few_shot_draws")
    layers, model = run.layers, run.model()
    key, names = stream(seed, "few-shot prototypes"), tuple(layers)[1:]
    options = {"layers": names, "shots": settings.shots, "num_draws": settings.few_shot_draws}

    def about(unit, layer, shots):
        epoch, group = unit
        shape = examples[group].shape
        return {
            **{"seed": seed, "epoch": epoch, "layer": layer, "layer_number": layers[layer], "group": group},
            **{"num_shots": shots, "num_classes": shape[0], "examples_per_class": shape[1]},
            "num_draws": settings.few_shot_draws,
        }

    def rows(unit):
        epoch, group = unit
        images = (test if group == "test" else train).images[examples[group]]
        found = network_few_shot(model, run.network(epoch), images, run.statistics, key, **options)
        numbers = summaries(jax.device_get(found), settings.shots, examples[group].shape[1])
        return [
            about(unit, layer, shots) | own
            for layer, by_shots in zip(layers, numbers, strict=True)
            for shots, own in zip(settings.shots, by_shots, strict=True)
        ]

    def instead(unit):
        lost = dict.fromkeys(COLUMNS, float("nan"))
        return [
            {**lost, **about(unit, layer, shots), "status": CHECKPOINT_DAMAGED}
            for layer in layers
            for shots in settings.shots
        ]

    units = [(epoch, group) for epoch in run.select_epochs(settings.few_shot_epochs) for group in examples]
    return Work(units, rows, lambda unit: [unit[0]], instead=instead, counted="group")


def summaries(found: FewShot, shots: tuple[int, ...], num_examples: int) -> list[list[dict]]:
    """Means over ordered pairs of classes: for every layer, for every number of shots, the numbers of a row."""
    apart = ~np.eye(found.errors.shape[-1], dtype=bool)
    of_pairs = [leaf[:, apart] for leaf in found.pairs]
    pairs = type(found.pairs)(*of_pairs)
    result = [[] for _ in found.errors]
    for place, number in enumerate(shots):
        ratios = signal_to_noise(pairs, number)
        paper, full = (np.asarray(predicted_error(ratio)) for ratio in ratios)
        errors, draws = found.errors[:, place][:, apart], found.errors_of_draws[:, place]
        for layer, rows in enumerate(result):
            status = int(np.bitwise_or.reduce(pairs.status[layer])) | (TOO_FEW if number >= num_examples else 0)
            rows.append(
                {
                    **{name: float(np.mean(getattr(pairs, name)[layer])) for name in OF_PAIRS},
                    **{
                        "snr_paper": float(np.mean(ratios.paper[layer])),
                        "snr_full": float(np.mean(ratios.full[layer])),
                    },
                    "predicted_paper": float(np.mean(paper[layer])),
                    "predicted_full": float(np.mean(full[layer])),
                    "simulated": float(np.mean(draws[layer])),
                    "simulated_standard_error": float(np.std(draws[layer], ddof=1) / np.sqrt(draws.shape[-1])),
                    "correlation": _correlation(full[layer], errors[layer]),
                    "status": status,
                }
            )
    return result


def _correlation(first, second):
    """NaN where either does not vary, and of two classes: any two points lie on a line."""
    if len(first) < 3 or not (np.ptp(first) > 0 and np.ptp(second) > 0):
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])
