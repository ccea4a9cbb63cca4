"""A result is shown, written and read again without the loss of a bit."""

import dataclasses
import json

import jax
import numpy as np
import pandas as pd
import pytest

from memorize_jax import Analysis
from tests.own_activations.made_up import analysis

RESULTS = {
    "integers": analysis(),
    "text": analysis(labels=("a/ü", "b")),
    "truth": analysis(labels=(False, True)),
    "no joint geometry": analysis(joint=False),
}


def ending(name):
    """An ending of files, of which one needs packages that may be missing."""
    if name == ".nc":
        pytest.importorskip("xarray")
        pytest.importorskip("h5netcdf")
    return name


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
@pytest.mark.parametrize("suffix", [".npz", ".nc"])
def test_what_is_read_is_what_was_written(result, suffix, tmp_path):
    path = result.save(tmp_path / f"result{ending(suffix)}")
    read = Analysis.load(path)
    for per in ("layer", "class"):
        pd.testing.assert_frame_equal(read.to_dataframe(per=per), result.to_dataframe(per=per), check_exact=True)
    assert (repr(read), read._repr_html_()) == (repr(result), result._repr_html_())
    for field in ("geometry", "joint", "participation"):
        before, after = (jax.tree.leaves(getattr(own, field)) for own in (result, read))
        assert [(leaf.dtype, leaf.tobytes()) for leaf in map(np.asarray, after)] == [
            (leaf.dtype, leaf.tobytes()) for leaf in before
        ]
    for field in ("layers", "seed", "kappa", "taken", "options", "versions"):
        assert getattr(read, field) == getattr(result, field)
    assert list(read.indices) == list(result.indices)
    assert [type(label) for label in read.indices] == [type(label) for label in result.indices]
    assert all((own == result.indices[label]).all() for label, own in read.indices.items())


def test_the_same_plot_and_no_file_left_behind(tmp_path):
    result = RESULTS["integers"]
    read = Analysis.load(result.save(tmp_path / "result.npz"))
    first, second = (own.plot(tmp_path / name) for own, name in ((result, "a.svg"), (read, "b.svg")))
    assert first.read_bytes() == second.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"result.npz", "a.svg", "b.svg"}


def test_a_figure_is_shown_by_a_notebook_without_pyplot():
    figure = RESULTS["integers"].plot()
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert figure.get_axes()[-1].get_xlabel() == "layer"


@pytest.mark.parametrize("suffix", [".npz", ".nc"])
def test_another_or_a_damaged_file_is_refused_in_a_line(suffix, tmp_path):
    result = RESULTS["integers"]
    path = result.save(tmp_path / f"result{ending(suffix)}")
    content = path.read_bytes()
    place = content.index(np.asarray(result.geometry.capacity).tobytes())
    damaged = {
        "cut": content[: len(content) // 2],
        "changed": content[:place] + bytes([content[place] ^ 64]) + content[place + 1 :],
        "text": b"layer,capacity",
        "empty": b"",
    }
    for what in damaged.values():
        path.write_bytes(what)
        with pytest.raises(ValueError, match=r"result\.") as raised:
            Analysis.load(path)
        assert "\n" not in str(raised.value)
        assert any(said in str(raised.value) for said in ("expected a file that Analysis.save wrote", "not as it was"))


def test_files_of_others_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*none"):
        Analysis.load(tmp_path / "none.npz")
    np.savez(tmp_path / "own.npz", labels=np.arange(3), fc=np.ones(3))
    with pytest.raises(ValueError, match=r"expected a file that Analysis\.save wrote, got one with fc, labels"):
        Analysis.load(tmp_path / "own.npz")
    with pytest.raises(ValueError, match=r"expected a file that ends in .npz or .nc, got '.*csv'"):
        RESULTS["integers"].save(tmp_path / "own.csv")


def test_a_later_version_is_refused(tmp_path, monkeypatch):
    from memorize_jax.own_activations import records

    monkeypatch.setattr(records, "VERSION", 2)
    path = RESULTS["integers"].save(tmp_path / "later.npz")
    monkeypatch.undo()
    with pytest.raises(ValueError, match="expected an analysis of version 1, got 2; a later memorize_jax reads it"):
        Analysis.load(path)


def test_the_data_set_has_names_for_every_axis():
    pytest.importorskip("xarray")
    result = RESULTS["text"]
    found = result.to_xarray()
    assert found["capacity"].dims == ("layer", "label")
    assert found["joint_capacity"].dims == ("layer",)
    assert float(found["radius"].sel(layer="fc", label="b")) == float(result.geometry["fc"].radius[1])
    table = result.to_dataframe().set_index("layer")
    np.testing.assert_array_equal(found["layer_capacity"].values, table["capacity"].to_numpy(np.float32))
    assert found["rows"].values.tolist() == [[0, 2, 4, 6, 8], [1, 4, 7, -1, -1]]
    attributes = found.attrs
    assert (attributes["seed"], attributes["kappa"], attributes["taken"]) == (4, 0.5, result.taken)
    assert json.loads(attributes["options"]) == result.options
    assert json.loads(attributes["versions"]) == result.versions


def test_a_layer_has_its_numbers_as_attributes():
    result = RESULTS["integers"]
    layer = result["fc"]
    row = result.to_dataframe().set_index("layer").loc["fc"]
    assert (layer.capacity, layer.joint_capacity) == (row["capacity"], row["joint_capacity"])
    assert layer.geometry.radius.tolist() == np.asarray(result.geometry.radius)[1].tolist()
    assert layer.classes.index.tolist() == [3, 8]
    assert list(result) == ["conv/1", "fc"]
    assert "dimension" in dir(layer)
    assert repr(layer).startswith("LayerResult(fc: capacity ")
    # A row for the names, one for that of the index, and one for each class.
    assert layer._repr_html_().count("<tr") == 2 + len(layer.classes)
    with pytest.raises(KeyError, match="expected a layer out of conv/1, fc, got 'fc2'"):
        _ = result["fc2"]
    with pytest.raises(AttributeError, match=r"expected a number out of .*capacity.*, got 'volume'"):
        _ = layer.volume


def test_it_is_a_table_in_a_notebook_and_in_print():
    result = RESULTS["integers"]
    assert "<table" in result._repr_html_()
    assert "&lt;3&gt;" in result._repr_html_()
    lines = str(result).splitlines()
    assert lines[0] == "Analysis(layers conv/1, fc: 2 of the <3> examples)"
    assert lines[1].split()[:2] == ["capacity", "radius"]
    assert lines[-1].split()[0] == "fc"
    assert dataclasses.is_dataclass(result)
