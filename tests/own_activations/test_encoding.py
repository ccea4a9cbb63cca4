"""Numbers as netCDF and its kin store them: missing, packed, without a sign."""

import base64

import numpy as np
import pytest

from memorize_jax import read_activations
from memorize_jax.own_activations.files.encoding import encoding_of
from memorize_jax.own_activations.prepare import prepare
from tests.own_activations.made_up import recording
from tests.own_activations.written import hdf5, hdf5_with, zarr, zarr_with

LAYERS, LABELS = recording()
V4 = {"name": "V4", "dtype": np.dtype(np.float64)}


FILLS = {
    "int16": (np.int16, {"_FillValue": np.int16(-32768)}, -32768, np.float32),
    "one entry": (np.int16, {"_FillValue": np.array([-32768], np.int16)}, -32768, np.float32),
    "of another kind": (np.int16, {"missing_value": -9999.0}, -9999, np.float32),
    "several": (np.uint8, {"missing_value": np.array([254, 255], np.uint8), "_FillValue": 250}, 254, np.float32),
    "int64": (np.int64, {"_FillValue": np.int64(-(2**63))}, -(2**63), np.float64),
    "float32": (np.float32, {"_FillValue": np.float32(9.96921e36)}, 9.96921e36, np.float32),
    "in double": (np.float32, {"missing_value": -9999.9}, -9999.9, np.float32),
    "float64": (np.float64, {"_FillValue": -1e300}, -1e300, np.float64),
}


@pytest.mark.parametrize("write", [hdf5_with, lambda fill: zarr_with(fill, 2), lambda fill: zarr_with(fill, 3)])
@pytest.mark.parametrize(("kind", "attributes", "fill", "found"), FILLS.values(), ids=FILLS)
def test_what_an_attribute_calls_missing_is_nan(write, kind, attributes, fill, found, tmp_path):
    """As in netCDF; `analyze` then measures the other examples, or refuses, and never takes -32768 for a response."""
    values = (10 * np.abs(LAYERS["V4"])).astype(kind)
    values[3, 2] = values[7, 0] = fill
    layers, labels = read_activations(write(attributes)(tmp_path, {"labels": LABELS, "V4": values}))
    expected = values.astype(found)
    expected[3, 2] = expected[7, 0] = np.nan
    np.testing.assert_array_equal(layers["V4"], expected)
    assert layers["V4"].dtype == found
    with pytest.raises(ValueError, match="NaN or infinite values in row 3 of layer 'V4', in 2 of 12 rows"):
        prepare(layers, labels, nan="raise")
    with pytest.warns(UserWarning, match="2 of 12 examples have NaN and are left out"):
        assert prepare(layers, labels, nan="drop").examples.num_rows == 10


NO_FILLS = {
    "none is missing": (np.int16, {"_FillValue": np.int16(-32768)}),
    "beyond the range": (np.int8, {"missing_value": 99999, "_FillValue": -0.5}),
    "beyond the range of floats": (np.float16, {"missing_value": 1e300}),
    "text": (np.float32, {"missing_value": "NA", "_FillValue": "none of them"}),
    "not a number": (np.int32, {"_FillValue": np.nan}),
}


@pytest.mark.parametrize(("kind", "attributes"), NO_FILLS.values(), ids=NO_FILLS)
def test_where_nothing_is_missing_numbers_are_as_they_were(kind, attributes, tmp_path):
    values = (10 * LAYERS["V4"]).astype(kind)
    if kind is np.float16:
        values[0, 0] = np.inf
    layers, _ = read_activations(hdf5_with(attributes)(tmp_path, {"labels": LABELS, "V4": values}))
    np.testing.assert_array_equal(layers["V4"], values)
    assert layers["V4"].dtype == kind


def test_a_label_that_is_missing_is_no_class(tmp_path):
    """Whatever number stands for it, as it is for NaN."""
    h5py = pytest.importorskip("h5py")
    labels = np.where(LABELS == 5, 99, LABELS).astype(np.int16)
    path = hdf5(tmp_path, {"labels": labels, "V4": LAYERS["V4"]})
    with h5py.File(path, "a") as file:
        file["labels"].attrs["_FillValue"] = np.int16(99)
    assert read_activations(path)[1].tolist() == np.where(LABELS == 5, -1, LABELS).tolist()


def test_attributes_come_as_text_of_several_kinds():
    """A float that xarray writes to zarr is 8 bytes in base64, by the oracle of the bytes themselves."""
    text = base64.b64encode(np.array([-9999.5], "<f8").tobytes()).decode()
    assert encoding_of({"_FillValue": text, "missing_value": [1, 2.5]}, **V4).fills == (-9999.5, 1, 2.5)
    for given in ("true", np.bytes_("true"), np.array(["true"], object)):
        assert encoding_of({"_Unsigned": given}, name="V4", dtype=np.dtype(np.int8)).is_unsigned
    assert not encoding_of({"_FillValue": "missing", "units": "mV"}, **V4).changes


PACKED = {
    "int16": (np.int16, {"scale_factor": 0.01, "add_offset": 5.0, "_FillValue": np.int16(-32768)}, np.float64),
    "in single": (np.int16, {"scale_factor": np.float32(0.5), "add_offset": np.float32(-3)}, np.float32),
    "offset alone": (np.uint8, {"add_offset": np.array([100.0], np.float32)}, np.float32),
    "of floats": (np.float32, {"scale_factor": 1000}, np.float64),
}


@pytest.mark.parametrize("write", [hdf5_with, lambda fill: zarr_with(fill, 2), lambda fill: zarr_with(fill, 3)])
@pytest.mark.parametrize(("kind", "attributes", "found"), PACKED.values(), ids=PACKED)
def test_packed_numbers_are_what_they_were(write, kind, attributes, found, tmp_path):
    """An offset moves all manifolds away from the origin, through which hyperplanes go."""
    stored = (10 * np.abs(LAYERS["V4"])).astype(kind)
    stored[3, 2] = attributes.get("_FillValue", stored[3, 2])
    layers, _ = read_activations(write(attributes)(tmp_path, {"labels": LABELS, "V4": stored}))
    scale, offset = (float(np.ravel(attributes.get(*one))[0]) for one in (("scale_factor", 1), ("add_offset", 0)))
    expected = stored * scale + offset
    expected[3, 2] = np.nan if "_FillValue" in attributes else expected[3, 2]
    np.testing.assert_allclose(layers["V4"], expected, rtol=1e-6)
    # Attributes of zarr are JSON, where all numbers of floating point are double.
    assert layers["V4"].dtype == (found if write is hdf5_with else np.result_type(found, np.float64))


def test_xarray_unpacks_them_alike(tmp_path):
    xarray, _ = pytest.importorskip("xarray"), pytest.importorskip("h5netcdf")
    values = np.abs(LAYERS["V4"]).astype(float)
    values[2, 1] = np.nan
    packed = {"dtype": "int16", "scale_factor": 0.001, "add_offset": 2.0, "_FillValue": -32768}
    data = xarray.Dataset({"V4": (("trial", "cell"), values), "labels": ("trial", LABELS)})
    data.to_netcdf(tmp_path / "own.nc", engine="h5netcdf", encoding={"V4": packed})
    with xarray.open_dataset(tmp_path / "own.nc", engine="h5netcdf") as opened:
        expected = opened["V4"].to_numpy()
    np.testing.assert_array_equal(read_activations(tmp_path / "own.nc", layers=["V4"])[0]["V4"], expected)


@pytest.mark.parametrize("given", ["0.1", [0.1, 0.2], float("inf")])
def test_a_scale_that_is_no_number_is_refused(given, tmp_path):
    path = hdf5_with({"scale_factor": given})(tmp_path, {"labels": LABELS, "V4": LAYERS["V4"]})
    with pytest.raises(ValueError, match="expected one number as the attribute scale_factor of array 'V4', got "):
        read_activations(path)


@pytest.mark.parametrize(("kind", "fill"), [("float64", -999.0), ("int16", -32768)])
@pytest.mark.parametrize("version", [2, 3])
def test_what_xarray_calls_missing_in_zarr_is_nan(version, kind, fill, tmp_path):
    """In format 2 it keeps `_FillValue` as the fill value of the array, which in other arrays is a number like any."""
    xarray, _ = pytest.importorskip("xarray"), pytest.importorskip("zarr")
    values = np.abs(LAYERS["V4"]) + 1
    values[3, 2] = np.nan
    arrays = {"V4": (("trial", "cell"), values), "counts": (("trial", "cell"), np.arange(60).reshape(12, 5) % 3)}
    data = xarray.Dataset({**arrays, "labels": ("trial", LABELS)})
    encoding = {"V4": {"dtype": kind, "_FillValue": fill}}
    data.to_zarr(tmp_path / "own", zarr_format=version, consolidated=False, encoding=encoding)
    layers, labels = read_activations(tmp_path / "own")
    with xarray.open_zarr(tmp_path / "own", consolidated=False) as opened:
        for name in arrays:
            np.testing.assert_array_equal(layers[name], opened[name].to_numpy())
    assert np.argwhere(np.isnan(layers["V4"])).tolist() == [[3, 2]]
    assert (layers["counts"].dtype, labels.tolist()) == (np.int64, LABELS.tolist())


def test_the_fill_value_of_a_plain_zarr_array_is_a_number(tmp_path):
    """Zarr itself writes 0, which spike counts are full of."""
    counts = np.arange(60, dtype=np.int16).reshape(12, 5) % 3
    layers, _ = read_activations(zarr(2)(tmp_path, {"labels": LABELS, "V4": counts}))
    np.testing.assert_array_equal(layers["V4"], counts)
    assert layers["V4"].dtype == np.int16


STORED = np.arange(60).reshape(12, 5) - 30
# Attributes -> the number that is read for each stored one, None for a missing one, by hand from the conventions.
BOUNDS = {
    "range": (np.int16, {"valid_range": np.array([-2, 20], np.int16)}, lambda x: x if -2 <= x <= 20 else None),
    "least": (np.int64, {"valid_min": np.int64(0)}, lambda x: x if x >= 0 else None),
    "most": (np.float32, {"valid_max": 20.5}, lambda x: x if x <= 20 else None),
    "most of floats": (np.float32, {"valid_max": 25.1}, lambda x: x + 0.1 if x <= 25 else None),
    "beyond the kind": (np.int8, {"valid_range": [-99999, 99999]}, lambda x: x),
    "packed": (np.int16, {"valid_max": np.int16(20), "scale_factor": 0.5}, lambda x: x / 2 if x <= 20 else None),
    "unsigned": (np.int8, {"_Unsigned": "true"}, lambda x: x % 256),
    "unsigned, big-endian": (np.dtype(">i2"), {"_Unsigned": "true"}, lambda x: x % 65536),
    "unsigned and missing": (
        np.int8,
        {"_Unsigned": "true", "_FillValue": np.int8(-1)},
        lambda x: x % 256 if x != -1 else None,
    ),
    "unsigned, missing so": (
        np.int8,
        {"_Unsigned": "true", "missing_value": 255},
        lambda x: x % 256 if x != -1 else None,
    ),
    "unsigned range": (
        np.int8,
        {"_Unsigned": "true", "valid_range": np.array([0, -6], np.int8), "add_offset": 1.0},
        lambda x: x % 256 + 1 if x % 256 <= 250 else None,
    ),
    "signed": (np.int8, {"_Unsigned": "false"}, lambda x: x),
    "text": (np.int8, {"valid_range": "0 to 10", "valid_min": "0"}, lambda x: x),
}


@pytest.mark.parametrize("write", [hdf5_with, lambda fill: zarr_with(fill, 2), lambda fill: zarr_with(fill, 3)])
@pytest.mark.parametrize(("kind", "attributes", "read"), BOUNDS.values(), ids=BOUNDS)
def test_numbers_out_of_range_are_missing_and_those_without_a_sign_have_none(write, kind, attributes, read, tmp_path):
    stored = (STORED + (0.1 if attributes == {"valid_max": 25.1} else 0)).astype(kind)
    layers, _ = read_activations(write(attributes)(tmp_path, {"labels": LABELS, "V4": stored}))
    expected = [[np.nan if read(x) is None else read(x) for x in row] for row in STORED.tolist()]
    np.testing.assert_allclose(layers["V4"], expected, rtol=1e-6)


def test_xarray_reads_integers_without_a_sign_alike(tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    values = np.random.default_rng(0).integers(0, 254, (12, 5)).astype(np.uint8)
    encoding = {"V4": {"dtype": "int8", "_Unsigned": "true", "_FillValue": np.int8(-1)}}
    data = xarray.Dataset({"V4": (("trial", "cell"), values), "labels": ("trial", LABELS)})
    data.to_netcdf(tmp_path / "own.nc", engine="h5netcdf", encoding=encoding)
    with xarray.open_dataset(tmp_path / "own.nc", engine="h5netcdf") as opened:
        np.testing.assert_array_equal(
            read_activations(tmp_path / "own.nc", layers="V4")[0]["V4"], opened["V4"].to_numpy()
        )


# What netcdf.h defines, for arrays that the library filled.
FILLED = {
    "float": (np.float32, 9.9692099683868690e36, True),
    "double": (np.float64, 9.9692099683868690e36, True),
    "short": (np.int16, -32767, True),
    "unsigned int": (np.uint32, 4294967295, True),
    "int64": (np.int64, -9223372036854775806, True),
    "a byte": (np.int8, -127, False),
}


@pytest.mark.parametrize("is_netcdf", [True, False])
@pytest.mark.parametrize("is_filled", [True, False])
@pytest.mark.parametrize(("kind", "fill", "is_missing"), FILLED.values(), ids=FILLED)
def test_what_the_library_of_netcdf_fills_in_is_missing(kind, fill, is_missing, is_filled, is_netcdf, tmp_path):
    """An integer only where the file itself fills with it: else it may have been measured."""
    h5py = pytest.importorskip("h5py")
    values = (10 * np.abs(LAYERS["V4"])).astype(kind)
    values[3, 2] = fill
    with h5py.File(tmp_path / "own.nc", "w") as file:
        file["labels"] = LABELS
        file.create_dataset("V4", data=values, fillvalue=kind(fill) if is_filled else None)
        if is_netcdf:
            file.attrs["_NCProperties"] = "version=2,netcdf=4.9.2,hdf5=1.14.0"
    found = read_activations(tmp_path / "own.nc")[0]["V4"]
    is_missing = is_missing and is_netcdf and (is_filled or np.dtype(kind).kind == "f")
    assert np.isnan(found[3, 2]) == is_missing
    assert np.isnan(found).sum() == is_missing


def test_labels_that_are_spelled_are_texts(tmp_path):
    """As netCDF stores text, a character an element."""
    h5py = pytest.importorskip("h5py")
    words = np.array(["face", "haus", "é"])[np.arange(12) % 3]
    characters = np.char.encode(words, "utf-8").astype("S6").view("S1").reshape(12, 6)
    with h5py.File(tmp_path / "own.nc", "w") as file:
        file["labels"], file["V4"] = np.where(characters == b"", b" ", characters), LAYERS["V4"]
    assert read_activations(tmp_path / "own.nc")[1].tolist() == words.tolist()
    path = zarr(2)(tmp_path, {"labels": characters, "V4": LAYERS["V4"]})
    assert read_activations(path)[1].tolist() == words.tolist()
