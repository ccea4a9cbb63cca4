import pytest

from memorize_jax.config import RunConfig
from memorize_jax.runs.prepare import prepare

OWN = "tests.recipe.my_recipe_parts"
WRONG = [
    ({"optimizer": "sgdm"}, "expected optimizer to be one of adam, adamw, sgd, or MODULE:NAME of your own, got 'sgdm'"),
    ({"momentum": -0.1}, "expected momentum >= 0 and < 1, got -0.1"),
    ({"optimizer": "sgd", "momentum": 1.0}, "expected momentum >= 0 and < 1, got 1.0"),
    ({"weight_decay": -1e-4}, "expected weight_decay >= 0, got -0.0001"),
    ({"weight_decay": float("nan")}, "expected weight_decay >= 0, got nan"),
    ({"schedule": "linear"}, "expected schedule to be one of constant, cosine, step, or MODULE:NAME"),
    ({"schedule_epochs": 3}, "expected schedule_epochs None with schedule=constant, got 3"),
    ({"schedule": "cosine", "schedule_epochs": 0}, "expected schedule_epochs >= 1, got 0"),
    ({"augment": "crop,flip"}, "expected augment to be none, flip, crop, or flip,crop, or MODULE:NAME"),
    ({"dataset": "spheres_small", "augment": "flip"}, r"expected images \[height, width, channels\] for augment=flip"),
    ({"loss": "hinge"}, "expected loss to be one of cross_entropy, mse, or MODULE:NAME of your own, got 'hinge'"),
    ({"label_smoothing": 1.0}, "expected label_smoothing >= 0 and < 1, got 1.0"),
    ({"loss": f"{OWN}:mean_loss", "label_smoothing": 0.1}, "expected no label_smoothing with a loss of your own"),
    ({"optimizer": "own.py"}, "expected optimizer to be one of"),
    ({"optimizer": "my-module:name"}, "expected optimizer of your own as MODULE:NAME, like my_module:my_optimizer"),
    ({"optimizer": "nowhere:name"}, r"optimizer nowhere:name could not be imported \(ModuleNotFoundError"),
    ({"optimizer": f"{OWN}:no_optimizer"}, "expected an optax.GradientTransformation, got float"),
    ({"optimizer": f"{OWN}:other_words"}, r"failed when called with learning_rate=0.0001, momentum=None, weight_decay"),
    ({"optimizer": f"{OWN}:growing"}, "expected a step to keep shapes and types of its state, but 0 arrays become 1"),
    ({"schedule": f"{OWN}:no_rate"}, "expected a function from the number of steps to a rate, got 0.0001"),
    ({"schedule": f"{OWN}:rates"}, "expected one rate for a number of steps"),
    ({"augment": f"{OWN}:half"}, r"expected an example \[8, 8, 1\] in float32 again, got \[4, 8, 1\] in float32"),
    ({"augment": f"{OWN}:number"}, "expected a function of a key and an example, got 3"),
    ({"loss": f"{OWN}:mean_loss"}, r"expected losses \[3\] of logits \[3, 10\] and labels \[3\]"),
    ({"loss": f"{OWN}:wants_three"}, r"loss .*wants_three failed when called with 2 arrays \(TypeError"),
]


@pytest.mark.parametrize(("options", "message"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_setting_is_one_line_before_anything_is_written(tmp_path, options, message):
    with pytest.raises(ValueError, match=message) as error:
        prepare(tmp_path / "run", RunConfig(**{"dataset": "digits", "width": 8, **options}))
    assert "\n" not in str(error.value)
    assert not any(tmp_path.iterdir())
