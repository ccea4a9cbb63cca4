import pandas as pd

from memorize_jax.epochs import at_stages, best_epoch, final_epoch, stage_epoch


def measured():
    rows = [
        {"seed": seed, "epoch": epoch, "group": "test", "layer": layer, "layer_number": number}
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


def test_the_best_epoch_is_the_first_of_equals():
    run = pd.DataFrame({"epoch": [0, 1, 2, 3], "test_accuracy": [0.1, 0.7, 0.7, 0.2]})
    assert (best_epoch(run), final_epoch(run)) == (1, 3)
    assert [stage_epoch(run, stage) for stage in ("best", "final")] == [1, 3]
