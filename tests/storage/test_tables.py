import pandas as pd
import pytest

from memorize_jax.storage.tables import read_table, write_table

COLUMNS = ("epoch", "loss")
ROWS = [{"epoch": 0, "loss": 2.5}, {"loss": 1 / 3, "epoch": 1}]


def test_a_table_comes_back_in_the_order_of_its_columns(tmp_path):
    path = tmp_path / "results" / "table.csv"
    write_table(path, ROWS, COLUMNS)
    assert path.read_text().splitlines() == ["epoch,loss", "0,2.5", "1,0.3333333333333333"]
    pd.testing.assert_frame_equal(read_table(path, COLUMNS, "x"), pd.DataFrame(ROWS, columns=COLUMNS))


def test_every_float_comes_back_exactly(tmp_path):
    values = [0.1 + 0.2, 1 / 3, 2.3264620304107666, 0.11858529819694869, 5e-324, 1.7976931348623157e308]
    write_table(tmp_path / "t.csv", [{"epoch": 0, "loss": value} for value in values], COLUMNS)
    assert read_table(tmp_path / "t.csv", COLUMNS, "x")["loss"].tolist() == values


def test_a_table_without_rows_is_damaged(tmp_path):
    write_table(tmp_path / "t.csv", [], COLUMNS)
    with pytest.raises(ValueError, match=r"t\.csv is damaged \(no rows\); make the table again with: python -m x"):
        read_table(tmp_path / "t.csv", COLUMNS, "python -m x")


def test_missing_values_come_back_as_nan(tmp_path):
    write_table(tmp_path / "t.csv", [{"epoch": 0, "loss": float("nan")}], COLUMNS)
    assert read_table(tmp_path / "t.csv", COLUMNS, "x")["loss"].isna().all()


def test_a_write_that_breaks_off_leaves_the_old_table(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    write_table(path, ROWS, COLUMNS)
    before = path.read_bytes()

    def half_written(table, target, **_):
        target.write_text("epoch,lo")
        raise OSError("no space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", half_written)
    with pytest.raises(OSError, match="no space"):
        write_table(path, ROWS[:1], COLUMNS)
    assert path.read_bytes() == before


def test_nothing_but_the_table_is_left_behind(tmp_path):
    write_table(tmp_path / "t.csv", ROWS, COLUMNS)
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize("row", [{"epoch": 0}, {"epoch": 0, "loss": 1.0, "extra": 2}])
def test_a_row_with_other_columns_is_refused_and_nothing_written(tmp_path, row):
    with pytest.raises(ValueError, match=r"expected columns \['epoch', 'loss'\], got"):
        write_table(tmp_path / "t.csv", [*ROWS, row], COLUMNS)
    assert not list(tmp_path.iterdir())


def test_a_missing_table_names_the_command_that_makes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no table .*t\.csv; make it with: python -m experiments\.geometry"):
        read_table(tmp_path / "t.csv", COLUMNS, "python -m experiments.geometry")


def test_a_table_without_a_column_names_it_and_the_command(tmp_path):
    write_table(tmp_path / "t.csv", ROWS, COLUMNS)
    with pytest.raises(ValueError, match="expected columns accuracy; make the table again with: python -m x"):
        read_table(tmp_path / "t.csv", (*COLUMNS, "accuracy"), "python -m x")


def test_further_columns_are_kept(tmp_path):
    write_table(tmp_path / "t.csv", ROWS, COLUMNS)
    assert tuple(read_table(tmp_path / "t.csv", ("epoch",), "x").columns) == COLUMNS
