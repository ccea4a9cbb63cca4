"""Recordings from files of every format: the same numbers, wherever the trials stand."""

import base64
import pathlib

import numpy as np
import pytest
import scipy.io

from memorize_jax import read_activations
from memorize_jax.own_activations.files import read
from memorize_jax.own_activations.files.encoding import encoding_of
from memorize_jax.own_activations.prepare import prepare
from tests.own_activations.made_up import recording

LAYERS, LABELS = recording()
# As MATLAB has them: units x trials, units x bins x trials, numbers in double precision.
MATLAB = {"V4": LAYERS["V4"].T, "IT": LAYERS["IT"].transpose(1, 2, 0), "labels": LABELS[None] * 1.0}
NAMES = np.array([f"face {label}" for label in LABELS])


def npz(path, arrays):
    np.savez(path / "own.npz", **arrays)
    return path / "own.npz"


def folder(path, arrays):
    for name, values in arrays.items():
        (path / name).parent.mkdir(exist_ok=True)
        np.save(path / f"{name}.npy", values)
    return path


def matlab(path, arrays):
    scipy.io.savemat(path / "own.mat", arrays)
    return path / "own.mat"


def hdf5(path, arrays):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path / "own.anything", "w") as file:
        for name, values in arrays.items():
            file[name] = values.astype(object) if values.dtype.kind == "U" else values
    return path / "own.anything"


def zarr(version):
    def write(path, arrays):
        library = pytest.importorskip("zarr")
        group = library.open_group(str(path / "own"), mode="w", zarr_format=version)
        for name, values in arrays.items():
            group.create_array(name, data=values, chunks=values.shape)
        return path / "own"

    return write


def matlab73(path, arrays):
    """What MATLAB writes since 7.3: HDF5 behind a header, axes in reverse, text as numbers, cells as references."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path / "own.mat", "w", userblock_size=512) as file:
        for name, values in arrays.items():
            if values.dtype.kind != "U":
                file[name] = values.T
                file[name].attrs["MATLAB_class"] = np.bytes_("double")
                continue
            cells = np.empty(values.T.shape, object)
            for place, word in enumerate(values.ravel()):
                cell = file.create_dataset(f"#refs#/{name}{place}", data=np.array([list(map(ord, word))], np.uint16).T)
                cell.attrs["MATLAB_class"] = np.bytes_("char")
                cells.ravel()[place] = cell.ref
            file.create_dataset(name, data=cells, dtype=h5py.ref_dtype).attrs["MATLAB_class"] = np.bytes_("cell")
        file.create_dataset("note", data=np.array([[72], [105]], np.uint16)).attrs["MATLAB_class"] = np.bytes_("char")
        file.create_dataset("nothing", data=np.zeros(2, np.uint64)).attrs["MATLAB_empty"] = 1
    content = bytearray((path / "own.mat").read_bytes())
    content[:19] = b"MATLAB 7.3 MAT-file"
    (path / "own.mat").write_bytes(content)
    return path / "own.mat"


PLAIN = {"npz": npz, "npy": folder, "hdf5": hdf5, "zarr 2": zarr(2), "zarr 3": zarr(3)}


@pytest.mark.parametrize("write", PLAIN.values(), ids=PLAIN)
def test_examples_come_first_in_files_of_python(write, tmp_path):
    layers, labels = read_activations(write(tmp_path, {"labels": LABELS, **LAYERS}))
    assert set(layers) == {"V4", "IT"}
    for name, values in layers.items():
        np.testing.assert_array_equal(values, LAYERS[name])
    np.testing.assert_array_equal(labels, LABELS)


@pytest.mark.filterwarnings("ignore:.*no layers of 12 examples, left out. note")
@pytest.mark.parametrize("write", [matlab, matlab73, hdf5])
def test_recordings_have_trials_on_any_axis_and_labels_in_double(write, tmp_path):
    layers, labels = read_activations(write(tmp_path, MATLAB))
    np.testing.assert_array_equal(layers["V4"], LAYERS["V4"])
    # Behind the trials, the axes are in the order of the file.
    np.testing.assert_array_equal(layers["IT"], LAYERS["IT"])
    assert (labels.tolist(), labels.dtype) == (LABELS.tolist(), np.int64)


@pytest.mark.filterwarnings("ignore:.*no layers of 12 examples, left out. note")
@pytest.mark.parametrize("write", [matlab, matlab73, hdf5, npz, zarr(2)])
def test_names_of_classes(write, tmp_path):
    names = NAMES
    if write is matlab:
        # A cell array of text.
        names = np.empty((12, 1), object)
        names[:, 0] = NAMES
    layers, labels = read_activations(
        write(tmp_path, {"V4": LAYERS["V4"], "labels": names if write is matlab else NAMES[:, None]})
    )
    assert prepare(layers, labels).examples.names == ("face 2", "face 5", "face 7")


def test_fields_and_groups_are_paths(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "deep", "w") as file:
        file["day1/areas/V4"], file["day1/labels"], file["day1/areas/IT"] = LAYERS["V4"], LABELS, LAYERS["IT"]
    layers, labels = read_activations(tmp_path / "deep")
    assert list(layers) == ["day1/areas/IT", "day1/areas/V4"]
    np.testing.assert_array_equal(labels, LABELS)
    assert list(read_activations(tmp_path / "deep", "day1/labels", ["*V4", "*"])[0]) == [
        "day1/areas/V4",
        "day1/areas/IT",
    ]
    with h5py.File(tmp_path / "deep", "a") as file:
        file["day2/labels"] = LABELS
    with pytest.raises(ValueError, match="got several: day1/labels, day2/labels; labels= names the labels"):
        read_activations(tmp_path / "deep")
    scipy.io.savemat(
        tmp_path / "s.mat", {"session": {"V4": LAYERS["V4"].T, "labels": LABELS * 1.0, "cell": {"x": 1.0}}}
    )
    with pytest.warns(
        UserWarning, match=r"s.mat: no layers of 12 examples, left out: session/cell/x \[1, 1\]; layers="
    ):
        layers, labels = read_activations(tmp_path / "s.mat")
    np.testing.assert_array_equal(layers["session/V4"], LAYERS["V4"])
    assert labels.tolist() == LABELS.tolist()


def test_trials_without_a_class_are_minus_one(tmp_path):
    labels = np.where(LABELS == 5, np.nan, LABELS)
    found = read_activations(matlab(tmp_path, {"V4": LAYERS["V4"].T, "labels": labels}))
    assert found[1].tolist() == np.where(LABELS == 5, -1, LABELS).tolist()
    with pytest.raises(ValueError, match=r"labels >= 0, got -1 in row 1, in 4 rows in all; .* mask=labels >= 0"):
        prepare(*found)
    assert prepare(*found, mask=found[1] >= 0).examples.names == (2, 7)


def test_a_path_is_read_by_the_call_itself(tmp_path):
    path = matlab(tmp_path, {**MATLAB, "colour": LABELS * 2.0})
    with pytest.warns(UserWarning, match=r"left out: colour \[1, 12\]; layers= names those to read"):
        found = prepare(str(path))
    np.testing.assert_array_equal(found.layers["IT"], LAYERS["IT"].reshape(12, -1))
    with pytest.warns(UserWarning, match="left out: labels"):
        assert prepare(path, "colour").examples.names == (4, 10, 14)
    with pytest.warns(UserWarning, match="left out: labels"):
        assert prepare(path, NAMES).examples.names == ("face 2", "face 5", "face 7")


SQUARE = np.arange(144.0).reshape(12, 12)
WRONG = {
    "labels": ({"V4": LAYERS["V4"]}, {}, r"expected arrays labels and activations .*, got \['V4'\]; labels= names"),
    "text": (
        {"labels": "abcabcabcabc", **LAYERS},
        {},
        "expected a label for every example in labels, got a single one",
    ),
    "layers": ({"labels": LABELS, "V4": np.ones((11, 5))}, {}, r"layers of 12 examples, .*labels, got V4 \[11, 5\]"),
    "pattern": ({"labels": LABELS, **LAYERS}, {"layers": ["MT*"]}, r"expected layers out of .*V4.*, got 'MT\*'"),
    "layer": (
        {"labels": LABELS, "V4": np.ones((11, 5))},
        {"layers": "V4"},
        r"expected layer 'V4' with 12 examples, as many as there are labels, got \[11, 5\]",
    ),
    "axis": (
        {"labels": LABELS, **LAYERS},
        {"trial_axis": 1},
        r"expected layer '(V4|IT)' with 12 examples on axis 1, got",
    ),
    "square": (
        {"labels": LABELS, "V4": SQUARE},
        {},
        r"expected one axis of 12 trials in layer 'V4', got \[12, 12\]; trial_axis=0 or trial_axis=1 in read_activ",
    ),
}


@pytest.mark.parametrize(("arrays", "options", "message"), WRONG.values(), ids=WRONG)
def test_what_a_file_lacks_is_said_in_a_line(arrays, options, message, tmp_path):
    with pytest.raises(ValueError, match=message) as raised:
        read_activations(matlab(tmp_path, arrays), **options)
    assert "own.mat: " in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_axis_of_trials_can_be_said(tmp_path):
    path = matlab(tmp_path, {"labels": LABELS, "V4": SQUARE})
    np.testing.assert_array_equal(read_activations(path, trial_axis=1)[0]["V4"], SQUARE.T)
    np.testing.assert_array_equal(read_activations(npz(tmp_path, {"labels": LABELS, "V4": SQUARE}))[0]["V4"], SQUARE)


def test_memory_is_checked_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("memorize_jax.memory.available_bytes", lambda: 900)
    path = matlab(tmp_path, MATLAB)
    with pytest.raises(
        ValueError, match=r"would take 2.78 kB of memory, 900 bytes are available; name those to read by"
    ):
        read_activations(path)
    monkeypatch.setattr("memorize_jax.memory.available_bytes", lambda: 1000)
    assert list(read_activations(path, layers="V4")[0]) == ["V4"]


def test_kinds_that_are_not_read_are_named(tmp_path):
    cells = np.empty(2, object)
    cells[:] = [np.ones(2), np.ones(3)]
    strange = {"trains": cells, "monkey": "Rhesus", "fs": 1000.0}
    with pytest.warns(UserWarning, match="left out") as warned:
        read_activations(matlab(tmp_path, MATLAB | strange))
    said = str(warned[0].message)
    for part in ("fs [1, 1]", "monkey (text)", "trains (a cell array, which cell2mat"):
        assert part in said


COUNTS = np.random.default_rng(2).poisson(0.3, (12, 30)).astype(float)


def test_sparse_counts_and_files_of_matlab_4(tmp_path):
    spikes = scipy.sparse.csc_matrix(COUNTS.T)
    for version in ("5", "4"):
        scipy.io.savemat(tmp_path / "spikes.mat", {"spikes": spikes, "labels": LABELS * 1.0}, format=version)
        layers, labels = read_activations(tmp_path / "spikes.mat")
        np.testing.assert_array_equal(layers["spikes"], COUNTS)
        assert labels.tolist() == LABELS.tolist()


def test_sparse_counts_of_matlab_73(tmp_path):
    h5py = pytest.importorskip("h5py")
    spikes = scipy.sparse.csc_matrix(COUNTS.T)
    with h5py.File(tmp_path / "spikes.mat", "w") as file:
        file["labels"] = LABELS
        for name, part in (("data", spikes.data), ("ir", spikes.indices), ("jc", spikes.indptr)):
            file[f"spikes/{name}"] = part
        file["spikes"].attrs["MATLAB_sparse"] = np.uint64(30)
    layers, _ = read_activations(tmp_path / "spikes.mat")
    assert list(layers) == ["spikes"]
    np.testing.assert_array_equal(layers["spikes"], COUNTS)


def entries_of(path):
    opened, _ = read._open(path)
    with opened as entries:
        return {name: (entry.shape, entry.read()) for name, entry in entries.items()}


def test_files_that_matlab_wrote_itself():
    """Of the collection that SciPy is tested with."""
    folder = pathlib.Path(scipy.io.matlab.__file__).parent / "tests" / "data"
    if not folder.is_dir():
        pytest.skip("SciPy without its tests")
    pytest.importorskip("h5py")
    expected = np.arange(9)[None] * np.pi / 4
    for name in ("testdouble_4.2c_SOL2", "testdouble_6.1_SOL2", "testdouble_7.4_GLNX86", "testhdf5_7.4_GLNX86"):
        ((shape, values),) = entries_of(folder / f"{name}.mat").values()
        assert shape == (1, 9)
        np.testing.assert_allclose(values, expected)
    found = entries_of(folder / "teststruct_7.4_GLNX86.mat")
    np.testing.assert_allclose(found["teststruct/doublefield"][1], [[2**0.5, np.e, np.pi]])
    assert entries_of(folder / "teststringarray_7.1_GLNX86.mat")["teststringarray"][1].tolist() == [
        "one",
        "two",
        "three",
    ]


def test_chunks_that_were_lost_are_warned_of(tmp_path):
    path = zarr(2)(tmp_path, {"labels": LABELS, "V4": LAYERS["V4"]})
    (path / "V4" / "0.0").unlink()
    with pytest.warns(UserWarning, match="array 'V4': 1 of 1 chunks are not stored and were read as 0"):
        read_activations(path)


def hdf5_with(attributes):
    def write(path, arrays):
        h5py = pytest.importorskip("h5py")
        with h5py.File(hdf5(path, arrays), "a") as file:
            for name, value in attributes.items():
                file["V4"].attrs[name] = value
        return path / "own.anything"

    return write


def zarr_with(attributes, version):
    def write(path, arrays):
        library = pytest.importorskip("zarr")
        own = library.open_group(str(zarr(version)(path, arrays)), mode="a")
        own["V4"].attrs.update({name: np.asarray(value).tolist() for name, value in attributes.items()})
        return path / "own"

    return write


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


def test_a_float_that_xarray_writes_to_zarr_is_read():
    """It is 8 bytes in base64 there, by the oracle of the bytes themselves."""
    text = base64.b64encode(np.array([-9999.5], "<f8").tobytes()).decode()
    assert encoding_of({"_FillValue": text, "missing_value": [1, 2.5]}, name="V4").fills == (-9999.5, 1, 2.5)
    assert not encoding_of({"_FillValue": "missing", "units": "mV"}, name="V4").changes


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


def test_a_folder_of_neither_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ValueError, match="got a folder with neither npy files nor a zarr group"):
        read_activations(tmp_path)
