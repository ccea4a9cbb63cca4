import functools
import io
import pickle
import zipfile

import jax
import ml_dtypes
import numpy as np
import pytest
import scipy.io

from memorize_jax import analysis, geometry
from memorize_jax.analysis import read_points
from memorize_jax.storage.tables import GEOMETRY

# What a test is not about need not be compiled.
analyze = functools.partial(analysis.analyze, joint_draws=0)


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


def test_both_geometries_come_with_one_call(tmp_path):
    layers, labels = activations()
    # Two features hold no two classes of twelve; the dead layer is warned of once.
    layers |= {"narrow": layers["early"][:, :2], "dead": 0 * layers["early"]}
    with pytest.warns(UserWarning, match="layer '") as said:
        result = analysis.analyze(layers, labels, num_draws=50, joint_draws=60, num_center_components=0)
    joint = [str(one.message) for one in said if "joint" in str(one.message)]
    assert joint == ["layer 'narrow': its joint capacity is only an upper bound: too few dimensions for so many points"]
    assert "dead" not in joint[0]
    table = result.to_dataframe()
    np.testing.assert_allclose(table["joint_capacity"], result.joint.capacity, rtol=1e-6)
    assert table["joint_status"].tolist() == result.joint.status.tolist()
    assert table["joint_capacity"][1] > table["joint_capacity"][0]
    classes = result.to_dataframe(per="class")
    late = classes[classes["layer"] == "late"]
    np.testing.assert_allclose(1 / np.mean(1 / late["joint_class_capacity"]), table["joint_capacity"][1], rtol=1e-4)
    expected = geometry.joint_geometry(
        [layers["late"].reshape(72, -1)[rows] for rows in result.indices.values()], key=jax.random.key(0), num_draws=60
    )
    assert table["joint_capacity"][1] == pytest.approx(float(expected.capacity), rel=1e-3)
    assert result.plot(tmp_path / "own.svg").stat().st_size > 0
    without = analyze(layers["early"], labels, num_draws=20, num_center_components=0)
    assert without.joint is None
    assert "joint_class_capacity" not in without.to_dataframe(per="class")
    assert without.to_dataframe()["joint_capacity"].isna().all()


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


def trials(sizes=(5, 12, 9, 6)):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return rng.normal(size=(len(sizes), 30))[labels] + rng.normal(size=(len(labels), 30)), labels


def test_classes_of_unequal_size_are_masked_as_a_list_is():
    points, labels = trials()
    order = np.random.default_rng(1).permutation(len(labels))
    options = {"num_draws": 400, "num_center_components": 0}
    result = analyze(points[order], 10 * labels[order] + 3, **options)
    assert result.taken == "all 5 to 12 examples of each of 4 classes"
    assert result.geometry.classes == (3, 13, 23, 33)
    for label, rows in result.indices.items():
        assert sorted(rows) == np.flatnonzero(10 * labels[order] + 3 == label).tolist()
    listed = [points[labels == label] for label in range(4)]
    expected = geometry.manifold_geometry(listed, key=jax.random.key(0), **options)
    # Draws meet the examples in another order.
    np.testing.assert_allclose(result.geometry.capacity[0], expected.capacity, rtol=0.15)
    np.testing.assert_array_equal(result.geometry.num_examples[0], expected.num_examples)

    cut = analyze(points, labels, unequal="subsample", **options)
    assert cut.taken.startswith("5 of the 5 to 12 examples of each of 4 classes; examples_per_class")
    assert cut.to_dataframe()["examples_per_class"].tolist() == [5]
    assert cut.to_dataframe()["capacity"][0] > result.to_dataframe()["capacity"][0]
    same = analyze(points, labels, examples_per_class=5, **options)
    np.testing.assert_array_equal(same.geometry.capacity, cut.geometry.capacity)
    assert analyze(points, labels, max_classes=2, num_draws=5, num_center_components=0).taken.endswith("2 of 4 classes")
    with pytest.raises(ValueError, match="at least 6 examples in every class, got 5 in class 7; lower examples_per_c"):
        analyze(points, np.where(labels, labels + 9, 7), examples_per_class=6)
    with pytest.raises(ValueError, match="expected unequal to be one of mask, subsample, got 'cut'"):
        analyze(points, labels, unequal="cut")


def test_no_more_than_fifty_examples_unless_asked_for():
    points, labels = trials((60, 80))
    taken = {m: analyze(points, labels, examples_per_class=m, num_draws=5) for m in (None, 55)}
    assert taken[None].taken.startswith("50 of the 60 to 80 examples of each of 2 classes; examples_per_class takes")
    assert taken[55].geometry.num_examples.tolist() == [[55, 55]]


def test_a_rare_class_is_a_point_and_the_others_are_not():
    points, labels = trials((1, 8, 8, 8))
    with pytest.warns(UserWarning, match="class 0: a single example, so no radius and no dimension"):
        result = analyze(points, labels, num_draws=20, num_center_components=0)
    assert result.geometry.rank.tolist() == [[0, 7, 7, 7]]
    with pytest.warns(UserWarning, match="every class has a single example"):
        analyze(points, np.arange(25), num_draws=5, num_center_components=0)


def test_rows_of_a_table_per_class_lead_back_to_the_data():
    layers, labels = activations()
    with pytest.warns(UserWarning, match="layer 'dead', classes 3, 10, 17, 24, 31, 38: "):
        result = analyze(layers | {"dead": 0 * layers["early"]}, labels * 7 + 3, num_draws=20, num_center_components=0)
    table = result.to_dataframe(per="class")
    assert table["label"].tolist() == 3 * [3, 10, 17, 24, 31, 38]
    assert all(set(labels[rows] * 7 + 3) == {label} for rows, label in zip(table["rows"], table["label"], strict=True))
    assert (table.loc[table["layer"] == "dead", "reason"] != "ok").all()
    assert (table.loc[table["layer"] == "late", "reason"] == "ok").all()
    whole = result.to_dataframe()
    assert (whole["status"] > 0).tolist() == [False, False, True]
    assert whole["num_valid_classes"].tolist() == [6, 6, 0]
    with pytest.raises(ValueError, match="expected per to be layer or class, got 'row'"):
        result.to_dataframe(per="row")


def test_a_bad_row_is_named_as_the_caller_numbers_it():
    layers, labels = activations()
    layers["late"][15, 2, 1] = -np.inf
    with pytest.raises(ValueError, match=r"in row 15 of layer 'late', in 1 of 72 rows"):
        analyze(layers, labels[::-1])


def archive(**members):
    def write(path):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in members.items():
                file.writestr(name.replace("_", "."), content)

    return write


def header(shape, dtype="<f4"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue()


def damaged(change):
    def write(path):
        np.savez(path, labels=np.arange(6), fc=np.ones((6, 50)))
        path.write_bytes(change(bytearray(path.read_bytes())))

    return write


def flipped(content):
    content[-900] ^= 255
    return content


NO_NPZ = {
    "lfs": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid"), "a pointer of Git LFS"),
    "mat": (lambda path: scipy.io.savemat(path, {"labels": [1]}, appendmat=False), "a MATLAB file; scipy.io.loadmat"),
    "hdf5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n"), "an HDF5 file"),
    "npy": (
        lambda path: path.write_bytes(header((3,))),
        "an npy file, a single array; numpy.savez writes several",
    ),
    "pickle": (lambda path: path.write_bytes(pickle.dumps([1])), "stored Python objects, which are not read"),
    "text": (lambda path: path.write_text("1,2,3"), "a file that begins with b'1,2,3'"),
    "empty": (lambda path: path.write_text(""), "a file that begins with b''"),
    "cut": (damaged(lambda content: content[:400]), "a damaged one, cut short"),
    "flipped": (damaged(flipped), "got a damaged one|Bad|magic|CRC"),
    "torch": (archive(data_pkl="x"), "an archive that holds data.pkl"),
    "no header": (archive(labels_npy="x" * 40), "got the magic string is not correct"),
    "shorter than it says": (archive(labels_npy=header((3,)), fc_npy=header((3, 4))), "got a damaged one"),
    "objects": (lambda path: np.savez(path, labels=np.arange(2), a=np.array([{}, {}])), "Python objects in a.npy"),
    "huge": (archive(labels_npy=header((3,)), fc_npy=header((3, 10**13))), "unpacked, would take 120 TB of memory"),
}


@pytest.mark.parametrize(("write", "message"), NO_NPZ.values(), ids=NO_NPZ)
def test_a_file_that_is_no_npz_is_told_what_it_is(tmp_path, write, message):
    write(tmp_path / "file.npz")
    with pytest.raises(ValueError, match=message) as raised:
        read_points(tmp_path / "file.npz")
    assert "pickle" not in str(raised.value).replace("data.pkl", "")
    assert "\n" not in str(raised.value)


def test_bfloat16_in_an_npz_is_refused_in_words(tmp_path):
    layers, labels = activations()
    np.savez(tmp_path / "half.npz", labels=labels, fc=layers["early"].astype(ml_dtypes.bfloat16))
    with pytest.raises(
        ValueError, match=r"layer 'fc', got \|V2; NumPy stores bfloat16 as such raw bytes: save float32"
    ):
        analyze(*read_points(tmp_path / "half.npz"))


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
