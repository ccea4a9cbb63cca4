import pathlib

import numpy as np
import pandas as pd
import pytest

from memorize_jax.storage.tables import read_table, write_table

COLUMNS = ("epoch", "loss")
ROWS = [{"epoch": 0, "loss": 2.5}, {"loss": 1 / 3, "epoch": 1}]


def test_a_table_comes_back_in_the_order_of_its_columns_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "results" / "table.csv"
    write_table(path, ROWS, COLUMNS)
    assert path.read_bytes() == b"epoch,loss\n0,2.5\n1,0.3333333333333333\n"
    pd.testing.assert_frame_equal(read_table(path, COLUMNS, "x"), pd.DataFrame(ROWS, columns=COLUMNS))
    assert [path.name for path in path.parent.iterdir()] == ["table.csv"]
    # Further columns are kept.
    assert tuple(read_table(path, ("epoch",), "x").columns) == COLUMNS
    # Every float comes back exactly, and NaN as NaN.
    values = [0.1 + 0.2, 1 / 3, 2.3264620304107666, 0.11858529819694869, 5e-324, 1.7976931348623157e308, float("nan")]
    write_table(tmp_path / "t.csv", [{"epoch": 0, "loss": value} for value in values], COLUMNS)
    np.testing.assert_array_equal(read_table(tmp_path / "t.csv", COLUMNS, "x")["loss"], values)


def test_a_write_that_breaks_off_leaves_the_old_table(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    write_table(path, ROWS, COLUMNS)
    before, plain = path.read_bytes(), pathlib.Path.write_bytes

    def half_written(target, content):
        plain(target, content[:8])
        raise OSError("no space left on device")

    monkeypatch.setattr(pathlib.Path, "write_bytes", half_written)
    with pytest.raises(OSError, match="no space"):
        write_table(path, ROWS[:1], COLUMNS)
    assert {left.name: left.read_bytes() for left in tmp_path.iterdir()} == {"t.csv": before}


@pytest.mark.parametrize("row", [{"epoch": 0}, {"epoch": 0, "loss": 1.0, "extra": 2}])
def test_a_row_with_other_columns_is_refused_and_nothing_written(tmp_path, row):
    with pytest.raises(ValueError, match=r"expected columns \['epoch', 'loss'\], got"):
        write_table(tmp_path / "t.csv", [*ROWS, row], COLUMNS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, r"no table .*t\.csv; make it with"),
        ("epoch,loss\n", r"t\.csv is damaged \(no rows\)"),
        ("", r"t\.csv is damaged \(No columns to parse from file\)"),
        ("epoch\n0\n", r"t\.csv: expected columns loss"),
        ("epoch,loss\n0,1\n1,0.l\n", r"t\.csv is damaged \(loss '0\.l'\)"),
    ],
)
def test_a_missing_or_damaged_table_says_what_is_wrong_and_names_the_command(tmp_path, text, fault):
    if text is not None:
        (tmp_path / "t.csv").write_text(text)
        fault += "; make the table again with"
    with pytest.raises(FileNotFoundError if text is None else ValueError, match=f"{fault}: python -m x"):
        read_table(tmp_path / "t.csv", COLUMNS, "python -m x")


def test_columns_of_text_and_columns_that_older_tables_lack_are_those_that_one_says(tmp_path):
    write_table(tmp_path / "t.csv", [{"epoch": "a", "loss": 1.0}], COLUMNS)
    found = read_table(tmp_path / "t.csv", (*COLUMNS, "later"), "x", text=("epoch",), added=("later",))
    assert found["epoch"].tolist() == ["a"]
    assert found["later"].isna().all()
