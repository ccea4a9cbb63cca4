import numpy as np
import pytest

from memorize_jax.analysis import analyze, read_points
from memorize_jax.results import GEOMETRY


def activations():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(6), 12)
    centers = rng.normal(size=(6, 20))
    early = centers[labels] + 3 * rng.normal(size=(72, 20))
    late = (3 * centers[labels] + rng.normal(size=(72, 20))).reshape(72, 4, 5)
    return {"early": early.astype(np.float32), "late": late.astype(np.float32)}, labels


def test_one_call_gives_a_table_and_a_plot(tmp_path):
    layers, labels = activations()
    result = analyze(layers, labels, num_draws=50, num_center_components=0)
    table = result.to_dataframe()
    assert tuple(table.columns) == GEOMETRY
    assert table["layer"].tolist() == ["early", "late"]
    assert table["capacity"][1] > 2 * table["capacity"][0]
    assert table["examples_per_class"].tolist() == [12, 12]
    assert result.plot(tmp_path / "own.svg").read_text().startswith("<?xml")


def test_labels_may_have_gaps_and_one_array_is_one_layer():
    layers, labels = activations()
    result = analyze(layers["early"], labels * 7 + 3, num_draws=20, num_center_components=0)
    assert result.layers == ("activations",)
    assert result.geometry.capacity.shape == (1, 6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, y: (a, y[:-1]), r"expected activations \[71, ...\] for layer 'early', got \(72, 20\)"),
        (lambda a, y: (a, y.astype(float)), "expected integer labels"),
        (lambda a, y: ({"early": a["early"] * np.nan}, y), "expected finite points of layer 'early'"),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        analyze(*change(*activations()), num_draws=20)


def test_reads_npz_without_pickle(tmp_path):
    layers, labels = activations()
    np.savez(tmp_path / "good.npz", labels=labels, **layers)
    read, read_labels = read_points(tmp_path / "good.npz")
    assert list(read) == ["early", "late"]
    np.testing.assert_array_equal(read_labels, labels)
    np.savez(tmp_path / "objects.npz", labels=labels, activations=np.array([{}, []], dtype=object))
    with pytest.raises(ValueError, match="expected an npz file of plain arrays"):
        read_points(tmp_path / "objects.npz")
    np.savez(tmp_path / "bare.npz", activations=layers["early"])
    with pytest.raises(ValueError, match=r"expected arrays labels and activations .*got \['activations'\]"):
        read_points(tmp_path / "bare.npz")
    with pytest.raises(FileNotFoundError, match="no file"):
        read_points(tmp_path / "none.npz")
