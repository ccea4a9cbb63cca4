"""What belongs to another run, or was changed, is refused by name; what is a link is not followed."""

import dataclasses
import json
import os
import re
import shutil
import threading

import numpy as np
import pandas as pd
import pytest

from experiments import gradients, presets, report, rewinding
from memorize_jax import data
from memorize_jax.runs import identity, metrics
from memorize_jax.runs.folder import Run
from memorize_jax.runs.labels import read_labels, write_labels
from memorize_jax.runs.noted import note_provenance, read_noted, read_provenance, write_config
from memorize_jax.runs.notes import read_notes
from memorize_jax.runs.prepare import prepare
from memorize_jax.runs.train import train_run
from memorize_jax.storage.files import replacing, write_json
from memorize_jax.storage.lock import check_no_links, locked, remove_stale_lock
from memorize_jax.studies.study import read_study
from tests.reliability.outcome import differences, outcome

CONFIG = dataclasses.replace(presets.PRESETS["smoke"].run, epochs=3, width=16, num_train=300)
LEDGER = presets.GradientsConfig(gradient_epochs="final")
SPLITS = data.load("digits", num_train=300)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two measured runs that differ in their seed."""
    folder = tmp_path_factory.mktemp("trained")
    for seed, name in enumerate(("mine", "theirs")):
        train_run(folder / name, dataclasses.replace(CONFIG, seed=seed))
        gradients.run(folder / name, LEDGER)
    return folder


@pytest.fixture
def mine(trained, tmp_path):
    return Run(shutil.copytree(trained / "mine", tmp_path / "mine"))


@pytest.fixture
def theirs(trained):
    return Run(trained / "theirs")


def read(run):
    read_study(run.workdir)
    gradients.run(run.workdir, LEDGER)


def test_everything_of_a_run_carries_its_identity(mine, theirs):
    own = read_noted(mine).identity
    assert own == identity.run_identity(CONFIG, identity.data_fingerprint(SPLITS)) != read_noted(theirs).identity
    with np.load(mine.labels, allow_pickle=False) as content:
        assert str(content["identity"]) == own
    for seal in mine.checkpoints.rglob("seal.json"):
        assert json.loads(seal.read_text().splitlines()[0])["identity"] == own
    assert json.loads((mine.workdir / "metrics.json").read_text())["identity"] == own
    assert json.loads((mine.results / "made.json").read_text())["gradients"]["identity"] == own


@pytest.mark.parametrize("changes", [{"images": 1}, {"labels": 1}, {"order": 1}, {"dtype": 1}])
def test_the_fingerprint_of_data_is_that_of_every_byte(changes):
    images, labels = SPLITS.train.images.copy(), SPLITS.train.labels.copy()
    if "images" in changes:
        images[7, 3, 3] ^= 1
    if "labels" in changes:
        labels[7] = (labels[7] + 1) % 10
    if "order" in changes:
        images, labels = images[::-1], labels[::-1]
    if "dtype" in changes:
        images = images.astype(np.int16)
    other = SPLITS._replace(train=SPLITS.train._replace(images=images, labels=labels))
    assert identity.data_fingerprint(other) != identity.data_fingerprint(SPLITS)
    assert identity.data_fingerprint(SPLITS) == identity.data_fingerprint(data.load("digits", num_train=300))


def cut_labels(mine, theirs, change=lambda part: part[:200]):
    with np.load(mine.labels, allow_pickle=False) as content:
        parts = {name: change(content[name]) if content[name].ndim else content[name] for name in content}
    np.savez(mine.labels, **parts)


def copied(name):
    def copy(mine, theirs):
        source, target = theirs.workdir / name, mine.workdir / name
        if source.is_dir():
            shutil.rmtree(target)
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)

    return copy


def edited(name, change):
    def edit(mine, theirs):
        path = mine.workdir / name
        text = path.read_text()
        changed = change(text)
        assert changed != text
        path.write_text(changed)

    return edit


def resealed(mine, theirs):
    """A configuration that somebody changed who knows of the checksum."""
    content = json.loads(mine.config.read_text())
    content["config"]["seed"] = 7
    del content["checksum"]
    write_json(mine.config, content)


def rows(change):
    def edit(text):
        head, *body = text.splitlines(keepends=True)
        return "".join([head, *change(body)])

    return edit


MIX_UPS = {
    "labels of another seed": (copied("labels.npz"), r"labels\.npz belongs to another run: its seed is 1, not 0"),
    "labels cut short": (cut_labels, r"labels\.npz: expected the labels of a run, .*other labels than were written"),
    "other labels in labels.npz": (
        lambda mine, theirs: cut_labels(mine, theirs, lambda part: part[::-1]),
        r"labels\.npz: expected the labels of a run, .*other labels than were written",
    ),
    "a configuration without its checksum": (
        edited("config.json", lambda text: re.sub(r',\s*"checksum": "\w+"', "", text)),
        "and no checksum",
    ),
    "notes without their checksum": (
        edited("results/made.json", lambda text: re.sub(r',\s*"checksum": "\w+"', "", text)),
        r"made\.json is damaged",
    ),
    "restores.csv removed": (
        lambda mine, theirs: (
            metrics.write_restores(mine.workdir, [], read_noted(mine).identity),
            mine.restores.unlink(),
        ),
        r"restores\.csv is not as training wrote it",
    ),
    "an epoch of another run": (copied("checkpoints/epochs/3"), "epoch 3 is damaged: it belongs to another run"),
    "tables of another run": (copied("results"), r"gradients\.csv belongs to another run; remove it, or measure it"),
    "one table of another run": (copied("results/gradients.csv"), r"gradients\.csv was changed after it was measured"),
    "notes of another run": (copied("results/made.json"), r"gradients\.csv was changed after it was measured"),
    "metrics of another run": (
        copied("metrics.csv"),
        r"metrics\.csv is damaged: .*the row of epoch 0",
    ),
    "another seed": (edited("config.json", lambda text: text.replace('"seed": 0', '"seed": 1')), "checksum differs"),
    "another fraction": (
        edited("config.json", lambda text: text.replace('"permuted_fraction": 0.5', '"permuted_fraction": 0.6')),
        "checksum differs",
    ),
    "another seed, resealed": (resealed, "another run than its identity says"),
    "a newer version": (
        edited("config.json", lambda text: text.replace('"preset"', '"color"')),
        r"config\.json: expected the configuration of a run",
    ),
    "a table edited": (
        edited("results/gradients.csv", lambda text: text.replace("0.", "1.", 1)),
        r"gradients\.csv was changed after it was measured",
    ),
    "a row of metrics edited": (
        edited("metrics.csv", rows(lambda own: [*own[:2], own[2].replace("0.", "0.9", 1), own[3]])),
        "it is not as training wrote it, from the row of epoch 2 on",
    ),
    "rows of metrics reversed": (edited("metrics.csv", rows(lambda own: own[::-1])), "the row of epoch 0 on"),
    "rows of metrics exchanged": (
        edited("metrics.csv", rows(lambda own: [*own[:2], own[3], own[2]])),
        "the row of epoch 2 on",
    ),
    "a row of metrics lost": (
        edited("metrics.csv", rows(lambda own: [own[0], *own[2:]])),
        "the row of epoch 1 on",
    ),
    "the last row of metrics lost": (
        edited("metrics.csv", rows(lambda own: own[:3])),
        "lacks the rows of epochs 3 to 3",
    ),
    "a row of metrics twice": (edited("metrics.csv", rows(lambda own: [own[0], *own])), "the row of epoch 1 on"),
    "a row of metrics added": (
        edited("metrics.csv", rows(lambda own: [*own, own[3].replace("3,", "4,", 1)])),
        "has rows that training did not write, from epoch 4 on",
    ),
    "a row without numbers": (
        edited("metrics.csv", rows(lambda own: [*own[:3], "3" + own[3].count(",") * "," + "\n"])),
        "the row of epoch 3 on",
    ),
    "no note": (lambda mine, theirs: (mine.workdir / "metrics.json").unlink(), r"metrics\.json is missing"),
}


@pytest.mark.parametrize("name", MIX_UPS)
def test_a_mix_up_is_refused_by_name(mine, theirs, name):
    mix_up, message = MIX_UPS[name]
    mix_up(mine, theirs)
    with pytest.raises(ValueError, match=message) as error:
        read(mine)
    assert "\n" not in str(error.value)


def test_training_mends_an_epoch_of_another_run(mine, theirs, trained):
    copied("checkpoints/epochs/2")(mine, theirs)
    train_run(mine.workdir, CONFIG)
    assert differences(outcome(mine.workdir), outcome(trained / "mine")) == []


def test_training_goes_on_from_the_rows_that_have_a_note_and_a_network(mine, trained):
    """What a kill between two writings leaves: a note without its row."""
    edited("metrics.csv", rows(lambda own: own[:3]))(mine, None)
    train_run(mine.workdir, CONFIG)
    assert differences(outcome(mine.workdir), outcome(trained / "mine")) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch,loss", "expected columns"),
        ("x", "expected columns"),
        ("{head}\n0,nan,0,0,0,0,0,0\n", "no loss or no accuracy in epoch 0"),
        ("{head}\n0,1,0,0,0,0,0,0\n1.5,1,0,0,0,0,0,0\n", r"do not count up from 0 \(row 1\)"),
        ("{head}\n0,1,0,0,0,0,7,0\n", "no loss or no accuracy in epoch 0"),
        ("{head}\n0,0.l026,0,0,0,0,0,0\n", r"loss '0\.l026'"),
    ],
)
def test_metrics_without_a_note_are_looked_at(tmp_path, text, message):
    (tmp_path / "metrics.csv").write_text(text.format(head=",".join(metrics.METRICS)))
    with pytest.raises(ValueError, match=message):
        metrics.read_metrics(tmp_path, None)


def test_metrics_are_read_while_training_writes_them(mine):
    identity, stop = read_noted(mine).identity, threading.Event()
    rows = metrics.read_metrics(mine.workdir, identity).to_dict("records")

    def write():
        while not stop.wait(0.005):
            rows.append({**rows[-1], "epoch": len(rows)})
            metrics.write_metrics(mine.workdir, rows, identity)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        lengths = [len(metrics.read_metrics(mine.workdir, identity)) for _ in range(40)]
    finally:
        stop.set()
        thread.join()
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]


def test_what_was_begun_before_the_training_went_on_is_not_mixed_with_what_came_after(mine, tmp_path):
    """A table of the final network is refused once there is another; units of before are not gone on with."""
    settings = presets.RewindingConfig(rewind_epochs="0", rewind_layers="each")
    rewinding.run(mine.workdir, settings)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("memorize_jax.storage.tables.write_table", stopped)
        with pytest.raises(KeyboardInterrupt):
            rewinding.run(mine.workdir, settings)
    assert list(mine.results.glob("rewinding.partial.jsonl"))
    train_run(mine.workdir, dataclasses.replace(CONFIG, epochs=4))
    with pytest.raises(ValueError, match=r"rewinding\.csv was measured before the training went on; remove it"):
        read_study(mine.workdir)
    rewinding.run(mine.workdir, settings)
    found = (mine.results / "rewinding.csv").read_bytes()
    rewinding.run(mine.workdir, settings)
    assert (mine.results / "rewinding.csv").read_bytes() == found


def stopped(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize("first", [True, False])
def test_members_that_were_measured_with_other_settings_are_not_averaged(trained, tmp_path, first):
    for seed, name in enumerate(("mine", "theirs")):
        shutil.copytree(trained / name, tmp_path / f"seed_{seed}")
    assert len(read_study(tmp_path).seeds) == 2
    gradients.run(tmp_path / f"seed_{int(first)}", dataclasses.replace(LEDGER, gradient_bn="eval"))
    with pytest.raises(ValueError, match=r"gradients of .*seed_1 was measured with other settings .*: gradient_bn="):
        read_study(tmp_path)


def test_a_member_without_its_configuration_is_named(trained, tmp_path):
    for seed, name in enumerate(("mine", "theirs")):
        shutil.copytree(trained / name, tmp_path / f"seed_{seed}")
    (tmp_path / "seed_1" / "config.json").unlink()
    with pytest.raises(ValueError, match=r"seed_1 has no config\.json; give the command again that trained it"):
        read_study(tmp_path)


def test_new_notes_stand_beside_those_of_the_first_version(mine):
    labels = read_labels(mine)
    write_config(mine, CONFIG)
    write_labels(mine, labels, CONFIG)
    old = {"geometry": {"settings": {}, "made_of": "0", "tables": {}, "seconds": 1.0}}
    (mine.results / "made.json").write_text(json.dumps(old))
    gradients.run(mine.workdir, LEDGER)
    assert set(read_notes(mine)) == {"geometry", "gradients"}
    read_study(mine.workdir)


# --- data that change


@pytest.mark.parametrize("part", ["images", "labels"])
def test_data_that_changed_since_training_are_refused_and_nothing_is_replaced(mine, part):
    changed = {"images": SPLITS.train.images[::-1].copy(), "labels": SPLITS.train.labels[::-1].copy()}
    other = SPLITS._replace(train=SPLITS.train._replace(**{part: changed[part]}))
    before = {path: path.read_bytes() for path in mine.workdir.rglob("*") if path.is_file()}
    for step in (
        lambda: gradients.run(mine.workdir, LEDGER, other),
        lambda: train_run(mine.workdir, CONFIG, (other, read_labels(mine))),
        lambda: prepare(mine.workdir, dataclasses.replace(CONFIG, epochs=5), other),
    ):
        with pytest.raises(
            ValueError, match=f"trained on other data: its (true )?{part} are not those of the data set"
        ):
            step()
    assert {path: path.read_bytes() for path in mine.workdir.rglob("*") if path.is_file()} == before


def test_a_run_of_the_first_version_is_read_by_its_true_labels_alone(mine):
    labels = read_labels(mine)
    write_config(mine, CONFIG)
    write_labels(mine, labels, CONFIG)
    gradients.run(mine.workdir, LEDGER)
    other = SPLITS._replace(train=SPLITS.train._replace(labels=SPLITS.train.labels[::-1].copy()))
    with pytest.raises(ValueError, match="its true labels are not those of the data set"):
        gradients.run(mine.workdir, LEDGER, other)


# --- provenance


def test_provenance_grows_and_is_never_replaced(mine, monkeypatch):
    (first,) = read_provenance(mine)
    other = {**first, "device": "8 x TPU v4"}
    monkeypatch.setattr("memorize_jax.runs.noted.provenance", lambda: other)
    # Nothing is trained: nobody took part.
    train_run(mine.workdir, CONFIG)
    assert read_provenance(mine) == [first]
    train_run(mine.workdir, dataclasses.replace(CONFIG, epochs=4))
    train_run(mine.workdir, dataclasses.replace(CONFIG, epochs=5))
    note_provenance(mine)
    assert read_provenance(mine) == [first, other]


# --- links and temporary files


@pytest.mark.parametrize(
    "place", ["run.lock", "labels.npz", "results", "results/x.partial.jsonl", "checkpoints/epochs/3", "figures", "a/b"]
)
def test_a_link_inside_a_run_is_refused_and_not_followed(mine, tmp_path, place):
    outside, link = tmp_path / "outside", mine.workdir / place
    outside.mkdir()
    (outside / "precious").write_text("mine")
    if link.is_dir():
        shutil.rmtree(link)
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(outside)
    steps = [lambda: read(mine), lambda: report.run(mine.workdir), lambda: train_run(mine.workdir, CONFIG)]
    for step in steps:
        with pytest.raises((ValueError, OSError), match=f"{place} is a link; a run's folder must hold its own files"):
            step()
    assert [path.name for path in outside.iterdir()] == ["precious"]


def test_a_run_may_be_reached_by_a_link(mine, tmp_path):
    (tmp_path / "by").symlink_to(mine.workdir)
    read(Run(tmp_path / "by"))
    check_no_links(tmp_path / "nothing")


def test_temporary_names_cannot_be_foreseen_and_only_ours_are_cleared(tmp_path):
    names = set()
    for _ in range(2):
        with replacing(tmp_path / "table.csv") as beside:
            assert beside.stat().st_size == 0
            names.add(beside.name)
            beside.write_text("x")
    assert len(names) == 2
    left, kept = f".table.{16 * 'a'}.tmp.csv", [".table.tmp.csv", ".notes.tmp", f".claims.{16 * 'b'}.tmp.csv"]
    for name in (left, *kept):
        (tmp_path / name).write_text("x")
    with locked(tmp_path):
        assert not (tmp_path / left).exists()
    assert all((tmp_path / name).exists() for name in kept)
    os.utime(tmp_path / kept[-1], (0, 0))
    with locked(tmp_path):
        assert not (tmp_path / kept[-1]).exists()


@pytest.mark.parametrize("name", ["thesis.newest", "notes.old", "7.older", "x.new"])
def test_only_what_is_named_like_our_own_is_cleared_away(mine, name):
    folder = mine.checkpoints / "epochs" / name
    folder.mkdir()
    (mine.checkpoints / "epochs" / "9.new").mkdir()
    train_run(mine.workdir, dataclasses.replace(CONFIG, epochs=4))
    assert folder.is_dir()
    assert not (mine.checkpoints / "epochs" / "9.new").exists()


def test_a_stale_lock_tells_nobody_who_left_it(mine):
    lock, holder = (mine.workdir / name for name in ("run.lock", "run.holder.json"))
    lock.write_text('{"host": "my-laptop", "command": "secret"}')
    report.run(mine.workdir)
    assert not lock.exists()
    with locked(mine.workdir):
        remove_stale_lock(mine.workdir)
        assert "host" in holder.read_text()


def test_a_file_system_without_locks_is_one_clear_line(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    with (
        pytest.raises(OSError, match=r"is on a file system without locks .*choose a --workdir on another disk"),
        locked(tmp_path),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_a_table_is_the_one_that_was_measured(mine):
    table = pd.read_csv(mine.results / "gradients.csv")
    pd.testing.assert_frame_equal(read_study(mine.workdir).tables["gradients"][table.columns], table)
