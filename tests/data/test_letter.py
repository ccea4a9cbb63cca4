import pathlib
import sys

import numpy as np
import pytest

from memorize_jax import data
from memorize_jax.data import letter

HEIGHTS = np.random.default_rng(0).integers(0, 16, (40, 16))
# All letters are in training: Z ... A, then A ... N.
NAMES = (letter.LETTERS[::-1] + letter.LETTERS)[:40]


def lines(heights=HEIGHTS):
    return [",".join([name, *map(str, row)]) for name, row in zip(NAMES, heights, strict=True)]


def read(folder, rows):
    path = folder / letter.UCI_FILE
    path.write_text("\n".join(rows) + "\n")
    return letter.read_letter(path, num_train=30, num_test=10)


def test_the_first_rows_are_for_training_and_features_are_standardized_by_them(tmp_path):
    train, test = read(tmp_path, lines())
    np.testing.assert_array_equal([*train.labels, *test.labels], [ord(name) - ord("A") for name in NAMES])
    mean, deviation = HEIGHTS[:30].mean(axis=0), HEIGHTS[:30].std(axis=0)
    for split, heights in ((train, HEIGHTS[:30]), (test, HEIGHTS[30:])):
        np.testing.assert_allclose(split.images * deviation + mean, heights, atol=1e-5)
        assert (split.images.dtype, split.labels.dtype) == (np.float32, np.int32)
        assert (split.num_classes, split.name) == (26, "letter")


def test_a_row_is_left_out_if_its_features_were_those_of_another(tmp_path):
    heights = HEIGHTS.copy()
    # One training row again in training, one in test, and a row for test again in test.
    heights[7], heights[31], heights[39] = heights[2], heights[5], heights[34]
    train, test = read(tmp_path, lines(heights))
    kept = [row for row in range(40) if row not in (7, 31, 39)]
    np.testing.assert_array_equal([*train.labels, *test.labels], [ord(NAMES[row]) - ord("A") for row in kept])
    assert (len(train.labels), len(test.labels)) == (29, 8)
    np.testing.assert_allclose(train.images.mean(axis=0), 0, atol=1e-6)


def test_a_feature_that_never_changes_is_zero(tmp_path):
    train, _ = read(tmp_path, lines(np.where(np.arange(16) == 3, 5, HEIGHTS)))
    assert not train.images[:, 3].any()
    assert np.isfinite(train.images).all()


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("A,1,2", "row 3, got ['A', '1', '2']"),
        ("a" + ",1" * 16, "row 3, got ['a', '1'"),
        ("AB" + ",1" * 16, "row 3, got ['AB', '1'"),
        ("A" + ",1" * 15 + ",16", "row 3, got"),
        ("A" + ",1" * 15 + ",?", "row 3, got"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, line, row):
    rows = lines()
    rows[2] = line
    with pytest.raises(ValueError, match="expected a letter and 16 whole numbers from 0 to 15 in row 3") as raised:
        read(tmp_path, rows)
    assert row in str(raised.value)
    assert "\n" not in str(raised.value)


def test_another_number_of_rows_is_refused(tmp_path):
    with pytest.raises(ValueError, match=f"{letter.UCI_FILE}: expected 40 rows, got 39; download it again"):
        read(tmp_path, lines()[1:])
    (tmp_path / letter.UCI_FILE).write_text("\n".join(lines()))
    with pytest.raises(ValueError, match="expected 20000 rows, got 40"):
        data.load("letter", data_dir=str(tmp_path))


def test_what_is_missing_is_said_with_where_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"letter: no data in .*archive\.ics\.uci\.edu.*r-cran-mlbench"):
        data.load("letter", data_dir=str(tmp_path))


def test_rs_file_without_its_library_and_a_damaged_one_are_one_line(tmp_path, monkeypatch):
    path = tmp_path / letter.R_FOLDER / letter.R_FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(b"RDX3\n" + bytes(20))
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "rdata", None)
        with pytest.raises(ValueError, match=r"needs rdata: pip install 'memorize_jax\[letter\]'"):
            data.load("letter", data_dir=str(tmp_path))
    pytest.importorskip("rdata")
    with pytest.raises(ValueError, match="expected R's table LetterRecognition") as raised:
        data.load("letter", data_dir=str(tmp_path))
    assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_rs_file_has_the_rows_of_ucis(tmp_path):
    pytest.importorskip("rdata")
    path = pathlib.Path("/", letter.R_FOLDER, letter.R_FILE)
    if not path.is_file():
        pytest.skip("needs Debian's package r-cran-mlbench")
    train, test = data.load("letter")
    assert (train.images.shape, test.images.shape) == ((15071, 16), (3597, 16))
    # UCI's file begins T, I, D, N, G.
    assert [letter.LETTERS[label] for label in train.labels[:5]] == list("TIDNG")
