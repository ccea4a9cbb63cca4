import numpy as np
import pytest

from memorize_jax.storage.partial_tables import make_table

COLUMNS = ("epoch", "group", "value", "count")
UNITS = [(epoch, group) for epoch in (0, 3) for group in ("a", "b")]


def rows_of(unit):
    epoch, group = unit
    value = float("nan") if unit == (3, "a") else np.float32(1) / 3 + epoch
    return [{"epoch": epoch, "group": group, "value": value, "count": np.int64(number)} for number in range(2)]


def interrupted_after(number, made):
    def make(unit):
        if len(made) == number:
            raise KeyboardInterrupt
        made.append(unit)
        return rows_of(unit)

    return make


@pytest.fixture
def undisturbed(tmp_path):
    make_table(tmp_path / "calm" / "t.csv", COLUMNS, UNITS, rows_of, settings={"a": 1})
    return (tmp_path / "calm" / "t.csv").read_bytes()


@pytest.mark.parametrize("number", range(4))
def test_an_interrupted_table_goes_on_and_ends_with_the_same_bytes(tmp_path, undisturbed, number):
    path, made = tmp_path / "results" / "t.csv", []
    with pytest.raises(KeyboardInterrupt):
        make_table(path, COLUMNS, UNITS, interrupted_after(number, made), settings={"a": 1})
    assert not path.exists()
    make_table(path, COLUMNS, UNITS, interrupted_after(None, made), settings={"a": 1})
    assert made == UNITS
    assert path.read_bytes() == undisturbed
    assert [left.name for left in path.parent.iterdir()] == ["t.csv"]


def test_the_old_table_stays_until_the_new_one_is_whole(tmp_path, undisturbed):
    path = tmp_path / "calm" / "t.csv"
    with pytest.raises(KeyboardInterrupt):
        make_table(path, COLUMNS, UNITS[::-1], interrupted_after(2, []), settings={"a": 1})
    assert path.read_bytes() == undisturbed


def test_rows_made_with_other_settings_are_not_used(tmp_path):
    path, made = tmp_path / "t.csv", []
    for settings in ({"a": 1}, {"a": 2}):
        with pytest.raises(KeyboardInterrupt):
            make_table(path, COLUMNS, UNITS, interrupted_after(len(made) + 1, made), settings=settings)
    assert made == [UNITS[0], UNITS[0]]


@pytest.mark.parametrize("cut", [1, 30, 90, 150])
def test_notes_that_were_cut_short_or_changed_are_made_again(tmp_path, undisturbed, cut):
    path, made = tmp_path / "t.csv", []
    notes = tmp_path / "t.partial.jsonl"
    with pytest.raises(KeyboardInterrupt):
        make_table(path, COLUMNS, UNITS, interrupted_after(3, made), settings={"a": 1})
    content = notes.read_bytes()
    notes.write_bytes(content[:-cut] if cut != 90 else content[:-cut] + b"#" + content[1 - cut :])
    make_table(path, COLUMNS, UNITS, interrupted_after(None, made), settings={"a": 1})
    assert len(made) > len(UNITS)
    assert path.read_bytes() == undisturbed


def test_a_unit_that_cannot_be_made_has_stand_ins_and_is_tried_again(tmp_path, undisturbed):
    path = tmp_path / "t.csv"
    stand_in = lambda unit: [{"epoch": unit[0], "group": unit[1], "value": 0.0, "count": -1}]
    make = lambda unit: None if unit == (0, "b") else rows_of(unit)
    make_table(path, COLUMNS, UNITS, make, settings={"a": 1}, otherwise=stand_in)
    assert path.read_text().splitlines()[3] == "0,b,0.0,-1"
    make_table(path, COLUMNS, UNITS, rows_of, settings={"a": 1})
    assert path.read_bytes() == undisturbed
