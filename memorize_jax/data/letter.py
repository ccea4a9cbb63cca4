"""Letter Recognition of the UCI repository (Frey and Slate, 1991): 16 features of 20,000 printed letters, 26 classes.

It is read from UCI's own file letter-recognition.data, which needs no library, or from LetterRecognition.rda of
Debian's package r-cran-mlbench, which rdata reads. Both hold the same rows in the same order: the first 16,000 are for
training and the last 4,000 for test, as its authors split them.

A row whose features equal those of a row before it is left out, which leaves 15,071 + 3,597: with permuted labels
equal rows would ask for different ones, so that 96 % of half permuted labels could be fitted at best, and 380 rows for
test would be training rows. Each feature has mean 0 and deviation 1 over the training rows.
"""

import pathlib
import warnings

import numpy as np

from memorize_jax.data.downloads import Wanted, data_folder, find, first_bytes, missing
from memorize_jax.data.splits import Split, Splits

NUM_TRAIN, NUM_TEST, NUM_FEATURES = 16_000, 4_000, 16
# Features are whole numbers up to this.
LARGEST = 15
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
UCI_FILE, R_FILE = "letter-recognition.data", "LetterRecognition.rda"
R_FOLDER = "usr/lib/R/site-library/mlbench/data"
WANTED = Wanted(
    (UCI_FILE, R_FILE),
    f"download {UCI_FILE} from archive.ics.uci.edu/dataset/59 and give its folder as --data_dir, or install Debian's "
    "package r-cran-mlbench (apt-get install r-cran-mlbench; or, without R, apt-get download r-cran-mlbench, then "
    "dpkg -x r-cran-mlbench_*.deb FOLDER, and that as --data_dir)",
    "letter",
    (R_FOLDER,),
)

Rows = list[list[str]] | list[list[object]]


def _rows_of_text(path: pathlib.Path) -> Rows:
    lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    return [line.split(",") for line in lines if line.strip()]


def _rows_of_r(path: pathlib.Path) -> Rows:
    try:
        import rdata  # pyright: ignore[reportMissingImports] (an option)
    except ImportError as error:
        raise ValueError(f"{path} needs rdata: pip install 'memorize_jax[letter]'") from error
    try:
        with warnings.catch_warnings(action="ignore"):
            frame = rdata.read_rda(path, default_encoding="ascii")["LetterRecognition"]
        return frame.to_numpy(object).tolist()
    except Exception as error:  # a damaged file may fail in any way
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{path}: expected R's table LetterRecognition ({reason}); {WANTED.advice}") from error


def read_letter(path: pathlib.Path, num_train: int = NUM_TRAIN, num_test: int = NUM_TEST) -> Splits:
    """Reads features [n, 16] float32 and the letters as labels, A = 0, from either file; num_* are its rows."""
    first_bytes(path)
    rows = _rows_of_r(path) if path.suffix == ".rda" else _rows_of_text(path)
    if len(rows) != num_train + num_test:
        raise ValueError(f"{path}: expected {num_train + num_test} rows, got {len(rows)}; download it again")
    for number, row in enumerate(rows, 1):
        if len(row) != 1 + NUM_FEATURES or not _is_letter(row[0]) or not all(map(_is_feature, row[1:])):
            expected = f"a letter and {NUM_FEATURES} whole numbers from 0 to {LARGEST}"
            raise ValueError(f"{path}: expected {expected} in row {number}, got {row}; download it again")
    labels = np.array([LETTERS.index(str(row[0])) for row in rows], np.int32)
    features = np.array([row[1:] for row in rows], np.float64)
    first = np.sort(np.unique(features, axis=0, return_index=True)[1])
    train, test = first[first < num_train], first[first >= num_train]
    mean, deviation = features[train].mean(axis=0), features[train].std(axis=0)
    scaled = ((features - mean) / np.where(deviation > 0, deviation, 1)).astype(np.float32)
    return Splits(*(Split(scaled[part], labels[part], len(LETTERS), "letter") for part in (train, test)))


def _is_letter(entry):
    return isinstance(entry, str) and len(entry) == 1 and entry in LETTERS


def _is_feature(entry):
    try:
        return float(entry) in range(LARGEST + 1)
    except (TypeError, ValueError):
        return False


def load(data_dir: str | None = None) -> Splits:
    """Finds either file in `data_dir`, else where Debian's package puts it."""
    folder = data_folder(data_dir or f"/{R_FOLDER}")
    path = find(WANTED, folder)
    if path is None:
        raise FileNotFoundError(f"letter: no data in {folder}; {missing(WANTED, folder)}")
    return read_letter(path)
