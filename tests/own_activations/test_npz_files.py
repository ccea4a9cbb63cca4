import io
import pickle
import zipfile

import ml_dtypes
import numpy as np
import pytest

from memorize_jax import analyze, read_activations
from tests.own_activations.test_analyze import activations


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


NOT_READ = {
    "lfs": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid"), "a pointer of Git LFS"),
    "mat": (
        lambda path: path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + b"\x0e\0\0\0"),
        "expected .* MATLAB or zarr, got a damaged one",
    ),
    "hdf5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n"), "a damaged one|needs h5py: pip install"),
    "npy": (
        lambda path: path.write_bytes(header((3,))),
        "an npy file, a single array; give the folder of it and labels.npy, or numpy.savez writes several",
    ),
    "pickle": (lambda path: path.write_bytes(pickle.dumps([1])), "stored Python objects, which are not read"),
    "text": (lambda path: path.write_text("1,2,3"), "a file that begins with b'1,2,3'"),
    "empty": (lambda path: path.write_text(""), "a file that begins with b''"),
    "cut": (damaged(lambda content: content[:400]), "a damaged one, cut short"),
    "flipped": (damaged(flipped), "got a damaged one|Bad|magic|CRC"),
    "torch": (archive(data_pkl="x"), "an archive that holds data.pkl"),
    "no header": (archive(labels_npy="x" * 40), "got a damaged one: the magic string is not correct"),
    "shorter than it says": (archive(labels_npy=header((3,)), fc_npy=header((3, 4))), "got a damaged one"),
    "objects": (lambda path: np.savez(path, labels=np.arange(2), a=np.array([{}, {}])), "Python objects in a.npy"),
    "huge": (archive(labels_npy=header((3,)), fc_npy=header((3, 10**13))), "unpacked, would take 120 TB of memory"),
}


@pytest.mark.parametrize(("write", "message"), NOT_READ.values(), ids=NOT_READ)
def test_a_file_that_cannot_be_read_is_told_what_it_is(tmp_path, write, message):
    write(tmp_path / "file.npz")
    with pytest.raises(ValueError, match=message) as raised:
        read_activations(tmp_path / "file.npz")
    assert "pickle" not in str(raised.value).replace("data.pkl", "")
    assert "\n" not in str(raised.value)


def test_reads_npz_without_pickle(tmp_path):
    layers, labels = activations()
    np.savez(tmp_path / "good.npz", labels=labels, **layers)
    read, read_labels = read_activations(tmp_path / "good.npz")
    assert list(read) == list(layers)
    np.testing.assert_array_equal(read_labels, labels)
    np.savez(tmp_path / "bare.npz", activations=layers["early"])
    with pytest.raises(ValueError, match=r"expected arrays labels and activations .*got \['activations'\]"):
        read_activations(tmp_path / "bare.npz")
    with pytest.raises(FileNotFoundError, match="no file"):
        read_activations(tmp_path / "none.npz")
    np.savez(tmp_path / "half.npz", labels=labels, fc=layers["early"].astype(ml_dtypes.bfloat16))
    with pytest.raises(
        ValueError, match=r"layer 'fc', got \|V2; NumPy stores bfloat16 as such raw bytes: save float32"
    ):
        analyze(*read_activations(tmp_path / "half.npz"))
