"""Files of every format, as those who record write them: each writer takes a folder and name -> array."""

import numpy as np
import pytest
import scipy.io


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
