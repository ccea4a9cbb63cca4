"""Recordings from files of every format: the same numbers, wherever the trials stand."""

import pathlib

import numpy as np
import pytest
import scipy.io

from memorize_jax import read_activations
from memorize_jax.own_activations.files import read
from memorize_jax.own_activations.prepare import prepare
from tests.own_activations.made_up import recording
from tests.own_activations.written import folder, hdf5, matlab, matlab73, npz, zarr

LAYERS, LABELS = recording()
# As MATLAB has them: units x trials, units x bins x trials, numbers in double precision.
MATLAB = {"V4": LAYERS["V4"].T, "IT": LAYERS["IT"].transpose(1, 2, 0), "labels": LABELS[None] * 1.0}
NAMES = np.array([f"face {label}" for label in LABELS])


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


@pytest.fixture
def linked(tmp_path):
    """An area with a second name, and links to it, to the labels, to a group, around, to another file, to nothing."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "other", "w") as file:
        file["areas/IT"] = LAYERS["IT"]
    with h5py.File(tmp_path / "linked", "w") as file:
        file["data/V4"], file["conditions"] = LAYERS["V4"], LABELS
        links = {"labels": "/conditions", "V4": "/data/V4", "session": "/data", "data/around": "/", "lost": "/gone"}
        for name, target in links.items():
            file[name] = h5py.SoftLink(target)
        file["IT"] = h5py.ExternalLink("other", "/areas/IT")
        file["zone"] = file["data/V4"]
    return tmp_path / "linked"


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (None, ["data/V4", "IT"]),
        ("V4", ["V4"]),
        ("session/V4", ["session/V4"]),
        ("zone", ["zone"]),
        (["*T", "*V4"], ["IT", "data/V4"]),
        ("V*", ["V4"]),
    ],
)
@pytest.mark.filterwarnings("ignore:.*left out. lost .a link that leads nowhere.;")
def test_links_are_names_of_what_they_lead_to(linked, asked, names):
    """Nothing is read twice, and a link that leads back to where it is does no harm."""
    layers, labels = read_activations(linked, layers=asked)
    assert list(layers) == names
    for name, values in layers.items():
        np.testing.assert_array_equal(values, LAYERS["IT" if name == "IT" else "V4"])
    assert labels.tolist() == LABELS.tolist()


def test_a_link_that_leads_nowhere_is_said(linked):
    with pytest.warns(UserWarning, match=r"left out: lost \(a link that leads nowhere\); layers= names"):
        read_activations(linked)
    with pytest.raises(ValueError, match="expected numbers as layer 'lost', got a link that leads nowhere"):
        read_activations(linked, layers="lost")


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


def test_a_folder_of_neither_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ValueError, match="got a folder with neither npy files nor a zarr group"):
        read_activations(tmp_path)
