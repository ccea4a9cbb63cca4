import contextlib
import json

import numpy as np
import pytest

from memorize_jax.storage.files import checksum
from memorize_jax.storage.unit_notes import finished_units, units_so_far
from memorize_jax.storage.unit_tables import make_table

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
    assert {left.name for left in path.parent.iterdir()} == {"t.csv", "t.units.jsonl"}


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
    assert made == [(0, "b")]
    assert path.read_bytes() == undisturbed


def test_what_is_noted_so_far_can_be_read_by_others(tmp_path):
    assert units_so_far(tmp_path / "t.csv") is None
    interrupt(tmp_path / "t.csv", 2, [])
    settings, units = units_so_far(tmp_path / "t.csv")
    assert settings == SETTINGS
    assert list(units) == [json.dumps(unit) for unit in UNITS[:2]]
    assert [row["count"] for row in units['[0, "b"]'].rows] == [0, 1]
    # A line that was cut short counts as not there.
    notes = tmp_path / "t.partial.jsonl"
    notes.write_bytes(notes.read_bytes()[:-5])
    assert list(units_so_far(tmp_path / "t.csv")[1]) == ['[0, "a"]']
    notes.write_bytes(b"#")
    assert units_so_far(tmp_path / "t.csv") is None


@pytest.mark.parametrize("first", [UNITS[:1], UNITS[2:], UNITS[1:3], [*UNITS, (9, "a")], UNITS])
def test_a_finished_table_grows_and_has_the_bytes_of_one_that_was_made_at_once(tmp_path, undisturbed, first):
    path, made = tmp_path / "t.csv", []
    make_table(path, PARTS, first, rows_of, settings=SETTINGS)
    finish(path, made)
    assert made == [unit for unit in UNITS if unit not in first]
    assert path.read_bytes() == undisturbed


def test_what_a_call_for_fewer_units_leaves_out_is_kept(tmp_path, undisturbed):
    path, made = tmp_path / "calm" / "t.csv", []
    make = lambda unit: made.append(unit) or rows_of(unit)
    for units in (UNITS[1:2], UNITS[3:], [(9, "a")]):
        make_table(path, PARTS, units, make, settings=SETTINGS)
        assert len(path.read_text().splitlines()) == 3
    finish(path, made)
    assert (made, path.read_bytes()) == ([(9, "a")], undisturbed)
    # Not what was made with other settings.
    make_table(path, PARTS, UNITS[:1], make, settings={"a": 2})
    made.clear()
    finish(path, made)
    assert made == UNITS


def test_units_of_a_finished_table_are_told_and_their_seconds_count(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("memorize_jax.storage.unit_tables.time.perf_counter", lambda: clock[0])

    def make(unit):
        clock[0] += 7
        return rows_of(unit)

    def make_one_more(unit):
        if clock[0] > 2 * 7:
            raise KeyboardInterrupt
        return make(unit)

    make_table(tmp_path / "t.csv", PARTS, UNITS[:2], make, settings=SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        make_table(tmp_path / "t.csv", PARTS, UNITS, make_one_more, settings=SETTINGS)
    found = make_table(tmp_path / "t.csv", PARTS, UNITS, make, settings=SETTINGS)
    assert (found.num_made, found.earlier_seconds) == (1, 3 * 7)
    assert clock == [4 * 7]


def test_a_table_is_not_taken_from_if_it_was_changed_or_made_otherwise(tmp_path, undisturbed):
    path = tmp_path / "calm" / "t.csv"
    notes = path.with_name("t.units.jsonl")
    sound = notes.read_bytes()

    def units_made(settings=SETTINGS):
        made = []
        make_table(path, PARTS, UNITS, lambda unit: made.append(unit) or rows_of(unit), settings=settings)
        assert path.read_bytes() == undisturbed
        return made

    assert units_made() == []
    path.write_bytes(undisturbed.replace(b"0.33", b"0.34"))
    assert units_made() == UNITS
    notes.write_bytes(sound.replace(b"0.33", b"0.34"))
    assert notes.read_bytes() != sound
    assert units_made() == UNITS
    assert units_made({"a": 2}) == UNITS
    path.unlink()
    assert units_made({"a": 2}) == UNITS


@pytest.mark.parametrize("is_finished", [True, False])
def test_a_unit_that_is_made_of_something_else_now_is_made_again(tmp_path, undisturbed, is_finished):
    path, made = tmp_path / "t.csv", []
    sources = {"made_of": lambda unit: [("network", unit[0], 1)]}

    def make(unit):
        if len(made) == 3 and not is_finished:
            raise KeyboardInterrupt
        return made.append(unit) or rows_of(unit)

    with contextlib.suppress(KeyboardInterrupt):
        make_table(path, PARTS, UNITS, make, settings=SETTINGS, **sources)
    again = []
    make = lambda unit: again.append(unit) or rows_of(unit)

    def holding(network, **options):
        now = lambda unit: [("network", unit[0], network(unit))]
        holds = lambda unit, noted: noted == [list(one) for one in now(unit)]
        again.clear()
        found = make_table(path, PARTS, UNITS, make, settings=SETTINGS, made_of=now, still_holds=holds, **options)
        assert found.num_made == len(again)
        assert path.read_bytes() == undisturbed
        return list(again)

    changed = lambda unit: 1 + (unit[0] == 0)
    assert holding(changed) == (UNITS[:2] if is_finished else [*UNITS[:2], UNITS[3]])
    assert holding(changed) == []
    # An attempt with other networks that was interrupted leaves what was finished before as it is.
    again.clear()
    stop = lambda unit: 1 / 0 if again else again.append(unit) or rows_of(unit)
    others = {"made_of": lambda unit: [0], "still_holds": lambda *_: False}
    with pytest.raises(ZeroDivisionError):
        make_table(path, PARTS, UNITS, stop, settings=SETTINGS, **others)
    assert holding(changed) == []


def test_what_a_unit_is_made_of_may_not_be_known_and_then_it_is_made_each_time(tmp_path):
    path, made = tmp_path / "t.csv", []
    make = lambda unit: made.append(unit) or rows_of(unit)
    for _ in range(2):
        make_table(
            path, PARTS, UNITS, make, settings=SETTINGS, made_of=lambda unit: None if unit == UNITS[1] else [unit[0]]
        )
    assert made == [*UNITS, UNITS[1]]


def test_rows_that_stand_for_a_unit_do_not_take_the_place_of_its_own(tmp_path, undisturbed):
    path, made = tmp_path / "calm" / "t.csv", []
    stand_in = lambda unit: [{"epoch": unit[0], "group": unit[1], "value": 0.0, "count": -1}]
    options = {"otherwise": stand_in, "still_holds": lambda unit, noted: unit != (0, "b")}
    make_table(path, PARTS, UNITS, lambda unit: None, settings=SETTINGS, **options)
    assert path.read_text().splitlines()[3] == "0,b,0.0,-1"
    # It was damaged, and is as it was.
    finish(path, made)
    assert (made, path.read_bytes()) == ([], undisturbed)


def test_whole_numbers_stay_whole_beside_what_is_missing(tmp_path):
    """Where a column has no number in one row, the others of a table are written with a point, and only there."""
    path, parts = tmp_path / "t.csv", ("epoch", "count")
    rows = lambda unit: None if unit == 0 else [{"epoch": unit, "count": 3}]
    missing = lambda unit: [{"epoch": unit, "count": float("nan")}]
    make_table(path, parts, [0, 1], rows, settings=SETTINGS, otherwise=missing)
    assert path.read_text() == "epoch,count\n0,\n1,3.0\n"
    make_table(path, parts, [1, 2], rows, settings=SETTINGS)
    assert path.read_text() == "epoch,count\n1,3\n2,3\n"


def test_rows_come_back_to_the_last_bit(tmp_path):
    row = {"number": 2**60 + 1, "value": 5e-324, "third": 1 / 3, "none": float("nan"), "yes": True, "name": 'a "b",\n7'}
    row["long"] = "x" * 200_000
    make = lambda unit: [row]
    for units in ([0], [1, 0]):
        found = make_table(tmp_path / "t.csv", tuple(row), units, make, settings=SETTINGS)
    assert found.num_made == 1
    _, units = finished_units(tmp_path / "t.csv")
    for unit in units.values():
        np.testing.assert_equal(unit.rows, [row])
        assert list(map(type, unit.rows[0].values())) == list(map(type, row.values()))


def test_a_kill_between_a_table_and_the_note_of_its_units_costs_nothing(tmp_path, undisturbed, monkeypatch):
    path, made = tmp_path / "t.csv", []
    make = lambda unit: made.append(unit) or rows_of(unit)
    make_table(path, PARTS, UNITS[:3], make, settings=SETTINGS)
    with monkeypatch.context() as patch:
        patch.setattr("memorize_jax.storage.unit_tables.finish", lambda path: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            make_table(path, PARTS, UNITS, make, settings=SETTINGS)
    make_table(path, PARTS, UNITS, make, settings=SETTINGS)
    assert (made, path.read_bytes()) == (UNITS, undisturbed)


def test_notes_of_several_tables_are_kept_side_by_side(tmp_path):
    paths = [tmp_path / f"{name}.csv" for name in "ab"]
    for path in paths:
        make_table(path, PARTS, UNITS, rows_of, settings=SETTINGS)
    assert [len(finished_units(path)[1]) for path in paths] == [4, 4]


def test_units_of_an_interrupted_call_outlast_one_for_fewer(tmp_path, undisturbed):
    path, made = tmp_path / "t.csv", []
    interrupt(path, 3, made)
    make_table(path, PARTS, UNITS[:1], rows_of, settings=SETTINGS)
    finish(path, made)
    assert (made, path.read_bytes()) == (UNITS, undisturbed)


def test_nor_does_a_kill_lose_what_the_call_left_out(tmp_path, undisturbed, monkeypatch):
    path, made = tmp_path / "calm" / "t.csv", []
    with monkeypatch.context() as patch:
        patch.setattr("memorize_jax.storage.unit_tables.finish", lambda path: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            make_table(path, PARTS, UNITS[:1], rows_of, settings=SETTINGS)
    finish(path, made)
    assert (made, path.read_bytes()) == ([], undisturbed)


FIRST, UNIT = ["settings", {"a": 1}], '[0, "a"]'


@pytest.mark.parametrize(
    "content",
    [
        *([one] for one in (["settings"], 5, None, [], ["settings", {"a": 1}, 3])),
        *([FIRST, one] for one in (5, None, [1, [], 1.0, []], [UNIT, 5, 1.0, []], [UNIT, [5], 1.0, []], [UNIT, []])),
        *([FIRST, [UNIT, [], seconds, []]] for seconds in ("x", None, [])),
        [FIRST, FIRST, [UNIT, [], 1.0, []]],
    ],
)
@pytest.mark.parametrize("name", ["t.partial.jsonl", "t.units.jsonl"])
def test_notes_that_say_something_else_are_as_good_as_none(tmp_path, undisturbed, name, content):
    path, made = tmp_path / "calm" / "t.csv", []
    path.with_name("t.units.jsonl").unlink()
    lines = [json.dumps(line).encode() for line in content]
    lines.append(b"[" * 100_000)
    path.with_name(name).write_bytes(b"".join(b"%s %s\n" % (checksum(line).encode(), line) for line in lines))
    assert finished_units(path) is None
    assert (units_so_far(path) or (0, {}))[1] == {}
    finish(path, made)
    assert (made, path.read_bytes()) == (UNITS, undisturbed)
