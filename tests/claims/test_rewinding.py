import pytest

from memorize_jax.claims import evaluate
from memorize_jax.measurements.rewinding.statements import last_layer
from memorize_jax.models import layer_names
from tests.claims.invented import BEST, FINAL, assert_judged, edited, judged, study, without
from tests.claims.test_training import no_permuted, stopped

HELD = {
    # 0.95 of the lost 0.3 come back to 0.6; the peak is 0.9.
    "last_layer_recovers": 0.885 / 0.9,
    "late_layers_recover_more": 0.95,
    "early_layers_approach_monotonically": 0.0,
    # The first layer has settled at epoch 3, the last at 1, of 4.
    "early_weights_settle_last": 0.5,
}


@pytest.mark.parametrize(("name", "value"), HELD.items())
def test_what_holds(name, value):
    assert_judged(name, study(), "holds", value)


@pytest.mark.parametrize(
    ("name", "column", "value", "where", "measured"),
    [
        ("last_layer_recovers", "test_accuracy", 0.72, {"layer": "linear5", "rewind_epoch": BEST}, 0.8),
        ("late_layers_recover_more", "test_accuracy", 0.62, {"layer": "linear5", "rewind_epoch": BEST}, 0.02 / 0.3),
        # Up by 0.06 and down again.
        ("early_layers_approach_monotonically", "test_accuracy", 0.66, {"layer": "linear1", "rewind_epoch": 1}, 1.0),
        ("early_weights_settle_last", "train_accuracy", 0.5, {"layer": "linear5", "rewind_epoch": (1, 2, 3)}, -0.25),
    ],
)
def test_what_does_not_hold(name, column, value, where, measured):
    assert_judged(name, edited(study(), "rewinding", column, value, **where), "does not hold", measured)


@pytest.mark.parametrize("name", HELD)
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (no_permuted, "no label was permuted"),
        (stopped, "before the network memorized"),
        (lambda base: without(base, "rewinding"), "python -m experiments.rewinding --workdir=runs/mine"),
        (lambda base: edited(base, "rewinding", "into", "early", into="final"), "no single layer was rewound"),
        (lambda base: edited(base, "rewinding", "num_layers", 2, num_layers=1), "no single layer was rewound"),
        (lambda base: without(base, "rewinding", layer="linear5"), "linear5 w"),
        # The final network alone would pass.
        (
            lambda base: edited(base, "metrics", "test_accuracy", 0.85, epoch=FINAL),
            "too little was lost to win back: the final",
        ),
    ],
)
def test_what_is_not_testable(name, spoil, reason):
    claim = judged(name, spoil(study()))
    assert claim.verdict == "not testable"
    assert reason in claim.reason


def test_the_last_epochs_are_needed_to_see_a_layer_settle():
    base = without(study(), "rewinding", rewind_epoch=(3, 4), layer="linear1")
    assert "--rewind_epochs=log,best,final" in judged("early_weights_settle_last", base).reason


OF_LAYERS = {
    "last_layer_recovers",
    "late_layers_recover_more",
    "permuted_apart_in_the_plane_at_the_end",
    "restored_mixed_in_the_plane_at_the_end",
    "restored_capacity_like_test",
    "permuted_at_lower_bound",
    "early_layers_unchanged",
    "gradients_do_not_vanish",
}


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        (("linear1",), "the network has no hidden layer, only linear1"),
        ((), "the networks of the sweep differ in their layers; judge its runs one by one"),
    ],
)
def test_without_a_hidden_layer_nothing_is_said_of_layers(layers, reason):
    claims = {claim.claim: claim for claim in evaluate(study()._replace(layers=layers))}
    assert {(claims[name].verdict, claims[name].reason) for name in OF_LAYERS} == {("not testable", reason)}


@pytest.mark.parametrize(("model", "layer"), [("vgg16", "conv17"), ("resnet18", "conv20"), ("mlp", "linear5")])
def test_the_last_layer_is_the_last_convolution(model, layer):
    assert last_layer(tuple(layer_names(model))) == layer
