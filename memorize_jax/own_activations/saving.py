"""An analysis as arrays with names and dimensions, and in a file; the only file that knows xarray."""

import json
import pathlib
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from memorize_jax.own_activations.records import Arrays, arrays_of, described, restored, summaries_of
from memorize_jax.storage.files import replacing

SUFFIXES = (".npz", ".nc")
HDF5 = b"\x89HDF"


def dataset_of(fields: Mapping[str, Any]) -> Any:
    """The fields of an analysis as an `xarray.Dataset`; ValueError, which says how to install it, without xarray."""
    try:
        import xarray  # pyright: ignore[reportMissingImports] (an option)
    except ImportError as error:
        raise ValueError("to_xarray needs xarray: pip install 'memorize_jax[xarray]'") from error
    arrays, about = arrays_of(fields), described(fields)
    coordinates = {"layer": about["layers"], "label": about["labels"]}
    attributes = {name: json.dumps(about[name]) for name in ("options", "versions")}
    attributes |= {name: about[name] for name in ("seed", "kappa", "taken")}
    attributes |= {"about": (text := json.dumps(about)), "checksum": _checksum(arrays, text)}
    return xarray.Dataset({**arrays, **summaries_of(fields)}, coordinates, attributes)


def save_fields(fields: Mapping[str, Any], path: pathlib.Path) -> pathlib.Path:
    """Writes the fields of an analysis whole; ValueError for another ending than .npz or .nc."""
    if path.suffix not in SUFFIXES:
        raise ValueError(f"expected a file that ends in {' or '.join(SUFFIXES)}, got {str(path)!r}")
    if path.suffix == ".nc":
        found = dataset_of(fields)
        _need_h5netcdf()
        with replacing(path) as beside:
            found.to_netcdf(beside, engine="h5netcdf")
        return path
    arrays, text = arrays_of(fields), json.dumps(described(fields))
    with replacing(path) as beside:
        content: dict[str, Any] = {name: values for name, (_, values) in arrays.items()}
        content |= {"about": np.array(text), "checksum": np.array(_checksum(arrays, text))}
        np.savez(beside, **content)
    return path


def load_fields(path: pathlib.Path) -> dict[str, Any]:
    """Reads the fields of an analysis; errors of `Analysis.load`."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    with path.open("rb") as file:
        is_hdf5 = file.read(4) == HDF5
    if is_hdf5:
        _need_h5netcdf()
    elif not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: expected a file that Analysis.save wrote, got another one, or a damaged one")
    try:
        arrays, text, checksum = _read_netcdf(path) if is_hdf5 else _read_npz(path)
    except Exception as error:  # readers raise whatever they raise
        said = " ".join(str(error).split())
        raise ValueError(f"{path}: expected a file that Analysis.save wrote, got a damaged one: {said}") from error
    if text is None:
        names = ", ".join(sorted(arrays))
        raise ValueError(f"{path}: expected a file that Analysis.save wrote, got one with {names:.60}")
    if checksum != _checksum(arrays, text):
        raise ValueError(f"{path} is not as it was written (its checksum differs); restore it from a copy")
    return restored(arrays, json.loads(text), path)


def _read_npz(path) -> tuple[Arrays, str | None, str]:
    with np.load(path, allow_pickle=False) as content:
        found = {name: content[name] for name in content.files}
    text, checksum = found.pop("about", None), str(found.pop("checksum", ""))
    return {name: ((), values) for name, values in found.items()}, None if text is None else str(text), checksum


def _read_netcdf(path) -> tuple[Arrays, str | None, str]:
    import xarray  # pyright: ignore[reportMissingImports] (an option)

    with xarray.open_dataset(path, engine="h5netcdf") as found:
        names = [name for name in found.data_vars if not str(name).startswith("layer_")]
        arrays = {str(name): ((), found[name].values) for name in names}
        return arrays, found.attrs.get("about"), found.attrs.get("checksum", "")


def _need_h5netcdf():
    try:
        import h5netcdf  # pyright: ignore[reportMissingImports] (an option)
        import xarray  # noqa: F401 # pyright: ignore[reportMissingImports] (an option)
    except ImportError as error:
        raise ValueError("netCDF needs xarray and h5netcdf: pip install 'memorize_jax[xarray]'") from error
    return h5netcdf


def _checksum(arrays: Arrays, text: str) -> str:
    total = zlib.crc32(text.encode())
    for name, (_, values) in sorted(arrays.items()):
        total = zlib.crc32(f"{name} {values.dtype.str} {values.shape}".encode(), total)
        total = zlib.crc32(np.ascontiguousarray(values).tobytes(), total)
    return f"{total:08x}"
