"""Where data sets that a person or TFDS downloaded are looked for."""

import os
import pathlib


def data_folder(data_dir: str | None) -> pathlib.Path:
    """Resolves --data_dir; without one it is the folder TFDS uses."""
    return pathlib.Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def placed_by_hand(data_dir: str | None, name: str) -> pathlib.Path | None:
    """Finds a file or folder in the data folder, or in downloads/manual below it, where TFDS looks too.

    Args:
      data_dir: as given by the user.
      name: of the file or folder.

    Returns:
      Its path, or None.
    """
    folder = data_folder(data_dir)
    for path in (folder / name, folder / "downloads" / "manual" / name):
        if path.exists():
            return path
    return None
