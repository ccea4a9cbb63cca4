import json

import numpy as np
import pytest

from memorize_jax.storage.unit_tables import made_so_far, make_table

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


def test_the_seconds_of_units_that_were_made_before_are_told(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("memorize_jax.storage.unit_tables.time.perf_counter", lambda: clock[0])

    def make(unit):
        if unit == UNITS[2] and clock[0] < 100:
            raise KeyboardInterrupt
        clock[0] += 7
        return rows_of(unit)

    with pytest.raises(KeyboardInterrupt):
        make_table(tmp_path / "t.csv", PARTS, UNITS, make, settings=SETTINGS)
    clock[0] = 100
    assert make_table(tmp_path / "t.csv", PARTS, UNITS, make, settings=SETTINGS).earlier_seconds == 14


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


def test_what_is_noted_so_far_can_be_read_by_others(tmp_path):
    assert made_so_far(tmp_path / "t.csv") is None
    interrupt(tmp_path / "t.csv", 2, [])
    settings, units = made_so_far(tmp_path / "t.csv")
    assert settings == SETTINGS
    assert list(units) == [json.dumps(unit) for unit in UNITS[:2]]
    assert [row["count"] for row in units['[0, "b"]']] == [0, 1]
    # A line that was cut short counts as not there.
    notes = tmp_path / "t.partial.jsonl"
    notes.write_bytes(notes.read_bytes()[:-5])
    assert list(made_so_far(tmp_path / "t.csv")[1]) == ['[0, "a"]']
    notes.write_bytes(b"#")
    assert made_so_far(tmp_path / "t.csv") is None
