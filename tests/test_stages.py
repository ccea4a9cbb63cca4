import numpy as np
import pandas as pd
from scipy import stats

from memorize_jax.analysis import at_stages, over_seeds
from memorize_jax.figures import MEASURES, draw_geometry_over_seeds


def measured():
    rows = [
        {"seed": seed, "epoch": epoch, "group": "test", "layer": layer, "layer_number": number}
        | {name: seed + 10.0 * epoch + number for name, _ in MEASURES}
        for seed in (0, 1, 4)
        for epoch in range(4)
        for number, layer in enumerate(("input", "linear1"))
    ]
    return pd.DataFrame(rows)


def metrics():
    """Seed 0 is best at epoch 1, the others at 2; seed 4 ends at epoch 2."""
    accuracy = {0: [0.1, 0.9, 0.5, 0.4], 1: [0.1, 0.3, 0.5, 0.4], 4: [0.1, 0.2, 0.6]}
    return {seed: pd.DataFrame({"epoch": range(len(own)), "test_accuracy": own}) for seed, own in accuracy.items()}


def test_every_seed_has_its_own_best_and_final_epoch():
    found = at_stages(measured(), metrics())
    epochs = found.drop_duplicates(["seed", "stage"]).set_index(["stage", "seed"])["epoch"]
    assert epochs.to_dict() == {
        ("best", 0): 1,
        ("best", 1): 2,
        ("best", 4): 2,
        ("final", 0): 3,
        ("final", 1): 3,
        ("final", 4): 2,
    }


def test_means_and_intervals_are_students(tmp_path):
    by = ["stage", "group", "layer", "layer_number"]
    found = over_seeds(at_stages(measured(), metrics()), by, [name for name, _ in MEASURES])
    assert len(found) == 2 * 2 * len(MEASURES)
    row = found.set_index(["stage", "layer", "measure"]).loc[("final", "linear1", "radius")]
    values = np.array([0 + 30 + 1, 1 + 30 + 1, 4 + 20 + 1])
    low, high = stats.t.interval(0.99, 2, values.mean(), stats.sem(values))
    np.testing.assert_allclose(row[["mean", "low", "high"]].astype(float), [values.mean(), low, high])
    assert row["num_seeds"] == 3
    assert draw_geometry_over_seeds(found, 0.1, tmp_path / "fig3.svg").stat().st_size > 10_000
