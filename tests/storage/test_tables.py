import pathlib

import numpy as np
import pandas as pd
import pytest

from memorize_jax.storage.tables import make_table, read_table, write_table

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


# --- unit by unit

PARTS = ("epoch", "group", "value", "count")
UNITS = [(epoch, group) for epoch in (0, 3) for group in ("a", "b")]
SETTINGS = {"a": 1}


def rows_of(unit):
    epoch, group = unit
    value = float("nan") if unit == (3, "a") else np.float32(1) / 3 + epoch
    return [{"epoch": epoch, "group": group, "value": value, "count": np.int64(number)} for number in range(2)]


def interrupt(path, number, made, settings=SETTINGS):
    """Makes a table until `made` has so many units."""

    def make(unit):
        if len(made) == number:
            raise KeyboardInterrupt
        made.append(unit)
        return rows_of(unit)

    with pytest.raises(KeyboardInterrupt):
        make_table(path, PARTS, UNITS, make, settings=settings)


def finish(path, made):
    make_table(path, PARTS, UNITS, lambda unit: made.append(unit) or rows_of(unit), settings=SETTINGS)


@pytest.fixture
def undisturbed(tmp_path):
    make_table(tmp_path / "calm" / "t.csv", PARTS, UNITS, rows_of, settings=SETTINGS)
    return (tmp_path / "calm" / "t.csv").read_bytes()


@pytest.mark.parametrize("number", range(4))
def test_an_interrupted_table_is_resumed_and_ends_with_the_same_bytes(tmp_path, undisturbed, number):
    path, made = tmp_path / "results" / "t.csv", []
    interrupt(path, number, made)
    assert not path.exists()
    finish(path, made)
    assert made == UNITS
    assert path.read_bytes() == undisturbed
    assert [left.name for left in path.parent.iterdir()] == ["t.csv"]


def test_rows_made_with_other_settings_are_not_used_and_the_old_table_stays_meanwhile(tmp_path, undisturbed):
    made = []
    for settings in ({"a": 2}, {"a": 3}):
        interrupt(tmp_path / "calm" / "t.csv", len(made) + 1, made, settings=settings)
    assert made == [UNITS[0], UNITS[0]]
    assert (tmp_path / "calm" / "t.csv").read_bytes() == undisturbed


def test_rows_that_an_earlier_version_noted_are_used(tmp_path, undisturbed):
    made = []
    lines = [
        '057f1dcd ["settings", {"a": 1}]',
        'cd9827e7 ["[0, \\"a\\"]", [{"epoch": 0, "group": "a", "value": 0.3333333432674408, "count": 0}, '
        '{"epoch": 0, "group": "a", "value": 0.3333333432674408, "count": 1}]]',
    ]
    (tmp_path / "t.partial.jsonl").write_text("".join(f"{line}\n" for line in lines))
    finish(tmp_path / "t.csv", made)
    assert made == UNITS[1:]
    assert (tmp_path / "t.csv").read_bytes() == undisturbed


@pytest.mark.parametrize("cut", [1, 30, 90, 150])
def test_notes_that_were_cut_short_or_changed_are_made_again(tmp_path, undisturbed, cut):
    path, notes, made = tmp_path / "t.csv", tmp_path / "t.partial.jsonl", []
    interrupt(path, 3, made)
    content = notes.read_bytes()
    notes.write_bytes(content[:-cut] if cut != 90 else content[:-cut] + b"#" + content[1 - cut :])
    finish(path, made)
    assert len(made) > len(UNITS)
    assert path.read_bytes() == undisturbed


def test_a_unit_that_cannot_be_made_has_stand_ins_and_is_tried_again(tmp_path, undisturbed):
    path, made = tmp_path / "t.csv", []
    stand_in = lambda unit: [{"epoch": unit[0], "group": unit[1], "value": 0.0, "count": -1}]
    make = lambda unit: None if unit == (0, "b") else rows_of(unit)
    make_table(path, PARTS, UNITS, make, settings=SETTINGS, otherwise=stand_in)
    assert path.read_text().splitlines()[3] == "0,b,0.0,-1"
    finish(path, made)
    assert path.read_bytes() == undisturbed
