import pytest

from memorize_jax.geometry.status import BOUND
from memorize_jax.report.headline import headline
from tests.claims.invented import BEST, FINAL, edited, judged, no_permuted, study

SPACE = "\N{NO-BREAK SPACE}"


def test_a_network_that_memorized_is_said_to_where_and_at_what_cost():
    said = headline(study())
    assert said.startswith(
        "Trained on digits with half of the labels shuffled, this network first learned what is true"
    )
    assert "and then memorized 99" in said or "and then memorized 98" in said or "and then memorized 9" in said
    assert f"by epoch {FINAL}" in said
    assert "while its accuracy on new examples fell from" in said
    assert f"(epoch {BEST})" in said
    assert said.endswith(f"{SPACE}%.")


def test_training_that_has_not_ended_is_said_not_to_have():
    assert headline(study()._replace(unfinished=(("", 0),))) == f"{headline(study())} Training has not ended."
    of_two = study(seeds=(0, 1))._replace(unfinished=(("", 1),))
    assert headline(of_two).endswith(". Training of seed 1 has not ended.")


def test_the_numbers_are_those_of_the_metrics():
    base = study()
    metrics = base.tables["metrics"]
    said = headline(base).replace(SPACE, " ")
    for column, value in (("restored_accuracy", "max"), ("test_accuracy", "max")):
        assert f"{100 * getattr(metrics[column], value)():.0f} %" in said
    for column in ("permuted_accuracy", "test_accuracy"):
        assert f"{100 * metrics[column].iloc[-1]:.0f} %" in said


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, 1.1, 1.2, 1.3, 1.4, 1.5], "the more the deeper the layer, most in linear5"),
        ([1, 1.1, 1.9, 1.3, 1.4, 1.5], "most in linear2"),
        ([1, 1.1, 1.2, 1.1, 1.1, 1.1], "though in no hidden layer have they become easy to separate"),
    ],
)
def test_where_is_told_by_the_capacity_of_permuted_examples(values, said):
    base = study()
    for number, value in enumerate(values):
        layer = f"linear{number}" if number else "input"
        where = {"group": "permuted", "epoch": FINAL, "layer": layer}
        base = edited(base, "geometry", "joint_capacity", value * 2 / 50, **where)
    per_class = base.tables["geometry"]["examples_per_class"].unique()
    assert per_class.tolist() == [50]
    assert f"by epoch {FINAL}, {said}, while" in headline(base)


@pytest.mark.parametrize(
    ("joint", "mean_field", "bounded", "said"),
    [
        # What is at most 1.2 does not rise above a known 1.9; what is at most 2.5 may, and the other theory tells.
        ([1, 1.2, 1.9, 1.3, 1.4, 1.5], [1, 1, 1, 1, 1, 1.4], "linear1", "most in linear2"),
        ([1, 2.5, 1.9, 1.3, 1.4, 1.5], [1, 1, 1, 1.6, 1.5, 1.4], "linear1", "most in linear3"),
        ([1, 1.1, 1.2, 1.3, 1.4, 1.5], [1, 1, 1, 1, 1, 1.4], "linear2", "most in linear5"),
    ],
)
def test_an_upper_bound_is_not_the_largest_capacity(joint, mean_field, bounded, said):
    base = study()
    for column, values in {"joint_capacity": joint, "capacity": mean_field}.items():
        for number, value in enumerate(values):
            where = {"group": "permuted", "epoch": FINAL, "layer": f"linear{number}" if number else "input"}
            base = edited(base, "geometry", column, value * 2 / 50, **where)
    where["layer"] = bounded
    base = edited(base, "geometry", "joint_status", BOUND, **where)
    assert f"by epoch {FINAL}, {said}, while" in headline(base)


def test_one_that_stopped_before_and_one_without_permuted_labels():
    stopped = headline(edited(study(), "metrics", "permuted_accuracy", 0.3, epoch=FINAL)).replace(SPACE, " ")
    assert f"true label, and gave 30 % of them the label they were assigned at epoch {FINAL}, while" in stopped
    clean = no_permuted(study())._replace(permuted_fraction=0.0)
    assert headline(clean).startswith("Trained on digits with the labels as they are, this network went on to epoch")


@pytest.mark.parametrize(("permuted", "restored"), [(0.52, 0.48), (0.1, 0.95), (0.9, 0.7)])
def test_what_chance_assigns_is_not_said_to_be_memorized(permuted, restored):
    """Of two classes half of the labels, of ten a tenth; as the claims have it."""
    base = edited(study(), "metrics", "permuted_accuracy", permuted, epoch=FINAL)
    base = edited(base, "metrics", "restored_accuracy", restored, epoch=FINAL)
    for fraction in (0.5, 1.0):
        assert "memorized" not in headline(base._replace(permuted_fraction=fraction))
    assert "before the network memorized" in judged("last_layer_recovers", base).reason


def test_of_seeds_whose_permuted_examples_are_not_all_known_only_the_rest_is_said():
    base = edited(study(seeds=(0, 1)), "metrics", "permuted_accuracy", float("nan"), seed=1)
    said = headline(base)
    assert said.startswith(
        "Trained on digits with half of the labels shuffled, these 2 networks went on to epoch 4, while"
    )
    assert "memorized" not in said


def test_one_that_never_learned_what_is_true_is_not_said_to():
    base = study()
    for epoch in base.tables["metrics"]["epoch"]:
        base = edited(base, "metrics", "restored_accuracy", 0.1, epoch=epoch)
    said = headline(base).replace(SPACE, " ")
    assert "learned what is true" not in said
    assert "this network memorized" in said
    assert said.endswith("; at most 10 % of the examples with shuffled labels had their true label at any epoch.")
