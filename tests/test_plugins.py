import sys

import numpy as np
import pytest

from memorize_jax import data, models, plugins
from memorize_jax.data import Split, Splits
from memorize_jax.models.mlp import LAYERS, MLP

RNG = np.random.default_rng(0)
GOOD = Split(RNG.integers(0, 256, (6, 4, 4, 1)).astype(np.uint8), np.arange(6) % 3, 3, "mine")


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """A function that makes a module `theirs` of these lines."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "theirs", raising=False)

    def write(text, **names):
        (tmp_path / "theirs.py").write_text(text)
        sys.modules.pop("theirs", None)
        if names:
            vars(__import__("theirs")).update(names)

    yield write
    sys.modules.pop("theirs", None)


@pytest.mark.parametrize(
    "name", [":load", "theirs:", "theirs:load:more", "../theirs:load", "theirs.py file:load", "1:2"]
)
def test_a_name_of_another_form_is_refused_before_anything_is_imported(own_module, name):
    own_module("raise SystemExit")
    for check in (data.check_name, models.check_name):
        check("theirs:NAME")
        with pytest.raises(ValueError, match="of your own as MODULE:NAME"):
            check(name)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("x = 1", "AttributeError: module 'theirs' has no attribute 'load'"),
        ("raise RuntimeError('not\\ntoday')", "RuntimeError: not today"),
        ("def load(:", "SyntaxError"),
    ],
)
def test_what_cannot_be_imported_is_one_line_with_its_reason(own_module, text, reason):
    if text:
        own_module(text)
    with pytest.raises(ValueError, match=reason) as error:
        data.load("theirs:load" if text else "nowhere_to_be_found:load")
    assert "\n" not in str(error.value)


def test_an_own_data_set_is_loaded_with_its_folder_and_cut_like_any_other(own_module):
    asked = []
    own_module("", load=lambda data_dir: (asked.append(data_dir), Splits(GOOD, GOOD))[1])
    splits = data.load("theirs:load", data_dir="/there", num_train=3)
    assert asked == ["/there"]
    assert splits.train.labels.tolist() == [0, 1, 2]
    assert splits.train.labels.dtype == splits.test.labels.dtype == np.int32
    np.testing.assert_array_equal(splits.test.images, GOOD.images)


BAD = GOOD._replace
FAULTS = {
    "expected data.Splits of two data.Split, got tuple": (GOOD, GOOD),
    r"as many labels in test, got uint8 \[6, 4, 4, 1\] and int64 \[5\]": Splits(GOOD, BAD(labels=GOOD.labels[:5])),
    r"in train, got float64 \[6, 4, 4, 1\]": Splits(BAD(images=GOOD.images / 255), GOOD),
    r"in train, got uint8 \[6, 16\]": Splits(BAD(images=GOOD.images.reshape(6, 16)), GOOD),
    "from 0 to 2 as labels of test, got int64 from 1 to 3": Splits(GOOD, BAD(labels=GOOD.labels + 1)),
    "as labels of train, got float64": Splits(BAD(labels=GOOD.labels / 1), GOOD),
    r"alike, got examples \(4, 4, 1\) and \(2, 4, 1\)": Splits(GOOD, BAD(images=GOOD.images[:, :2])),
    "3 and 4 classes": Splits(GOOD, BAD(num_classes=4)),
}


@pytest.mark.parametrize("message", FAULTS)
def test_a_data_set_that_does_not_fit_is_named(own_module, message):
    own_module("", load=lambda data_dir: FAULTS[message])
    with pytest.raises(ValueError, match=f"dataset theirs:load: .*{message}"):
        data.load("theirs:load")


def test_an_own_network_has_layers_and_is_made_like_any_other(own_module):
    assert not any(map(plugins.is_own, (*data.LOADERS, *models.MODELS)))
    own_module("", NETWORK=models.Entry(MLP, LAYERS, smallest_image=9))
    assert models.layers("theirs:NETWORK") == LAYERS
    assert models.create("theirs:NETWORK", num_classes=3, width=5) == MLP(num_classes=3, width=5)
    assert not models.can_be_stacked("theirs:NETWORK")
    with pytest.raises(ValueError, match="at least 9 x 9 for model theirs:NETWORK"):
        models.check_input("theirs:NETWORK", (8, 8, 1))
    with pytest.raises(ValueError, match="expected no dropout for model theirs:NETWORK"):
        models.create("theirs:NETWORK", num_classes=3, dropout=0.5)


def test_a_network_that_is_no_entry_or_takes_other_options_is_named(own_module):
    own_module("", CLASS=MLP, OTHER=models.Entry(lambda num_classes: None, LAYERS))
    with pytest.raises(ValueError, match=r"model theirs:CLASS: expected a models.Entry, got \w+"):
        models.layers("theirs:CLASS")
    with pytest.raises(ValueError, match=r"model theirs:OTHER takes other options than models.Entry says: .*'dtype'"):
        models.create("theirs:OTHER", num_classes=3)
