"""What belongs to another run, or was changed, is refused by name; what is a link is not followed."""

import dataclasses
import json
import re
import shutil
import threading

import numpy as np
import pytest

from memorize_jax import data
from memorize_jax.measurements import driver
from memorize_jax.measurements.registry import get_measurement, open_study
from memorize_jax.measurements.rewinding import RewindingSettings
from memorize_jax.runs import identity, metrics
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.labels import read_labels, write_labels
from memorize_jax.runs.noted import begin, note_provenance, read_noted, write_config
from memorize_jax.runs.notes import read_notes
from memorize_jax.runs.prepare import prepare
from memorize_jax.runs.train import train_run
from memorize_jax.storage.files import write_json
from tests.reliability.conftest import CONFIG, measure, read
from tests.reliability.outcome import differences, outcome

SPLITS = data.load("digits", num_train=300)


def test_everything_of_a_run_carries_its_identity(mine, theirs):
    own = read_noted(mine).identity
    assert own == identity.run_identity(CONFIG, identity.data_fingerprint(SPLITS)) != read_noted(theirs).identity
    with np.load(mine.labels, allow_pickle=False) as content:
        assert str(content["identity"]) == own
    for seal in mine.checkpoints.rglob("seal.json"):
        assert json.loads(seal.read_text().splitlines()[0])["identity"] == own
    assert json.loads((mine.workdir / "metrics.json").read_text())["identity"] == own
    assert json.loads((mine.results / "made.json").read_text())["gradients"]["identity"] == own


def test_the_fingerprint_of_data_is_that_of_every_byte():
    images, labels = SPLITS.train.images, SPLITS.train.labels
    bit, label = images.copy(), labels.copy()
    bit[7, 3, 3] ^= 1
    label[7] = (label[7] + 1) % 10
    assert identity.data_fingerprint(SPLITS) == identity.data_fingerprint(data.load("digits", num_train=300))
    for other in ((bit, labels), (images, label), (images[::-1], labels[::-1]), (images.astype(np.int16), labels)):
        changed = SPLITS._replace(train=SPLITS.train._replace(images=other[0], labels=other[1]))
        assert identity.data_fingerprint(changed) != identity.data_fingerprint(SPLITS)


# --- mix-ups: (what happens to a run beside another, what is said)


def changed_labels(change):
    def edit(mine, theirs):
        with np.load(mine.labels, allow_pickle=False) as content:
            parts = {name: change(content[name]) if content[name].ndim else content[name] for name in content}
        np.savez(mine.labels, **parts)

    return edit


def copied(name):
    def copy(mine, theirs):
        source, target = theirs.workdir / name, mine.workdir / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)

    return copy


def edited(name, change):
    def edit(mine, theirs):
        path = mine.workdir / name
        text = path.read_text()
        assert change(text) != text
        path.write_text(change(text))

    return edit


def replaced(name, old, new):
    return edited(name, lambda text: text.replace(old, new, 1))


def without_checksum(name):
    return edited(name, lambda text: re.sub(r',\s*"checksum": "\w+"', "", text))


def rows(change):
    def edit(text):
        head, *body = text.splitlines(keepends=True)
        return "".join([head, *change(body)])

    return edited("metrics.csv", edit)


def new_checksum(mine, theirs):
    """A configuration that somebody changed who knows of the checksum."""
    content = json.loads(mine.config.read_text())
    content["config"]["seed"] = 7
    del content["checksum"]
    write_json(mine.config, content)


def no_restores(mine, theirs):
    metrics.write_restores(mine.workdir, [], read_noted(mine).identity)
    mine.restores.unlink()


OTHER_LABELS = r"labels\.npz: expected the labels of a run, .*other labels than were written"
CHANGED = r"gradients\.csv was changed after it was measured"
MIX_UPS = {
    "labels of another seed": (copied("labels.npz"), r"labels\.npz belongs to another run: its seed is 1, not 0"),
    "labels cut short": (changed_labels(lambda part: part[:200]), OTHER_LABELS),
    "labels reversed": (changed_labels(lambda part: part[::-1]), OTHER_LABELS),
    "a configuration without its checksum": (without_checksum("config.json"), "and no checksum"),
    "notes without their checksum": (without_checksum("results/made.json"), r"made\.json is damaged"),
    "restores removed": (no_restores, r"restores\.csv is not as training wrote it"),
    "an epoch of another run": (copied("checkpoints/epochs/3"), "epoch 3 is damaged: it belongs to another run"),
    "tables of another run": (copied("results"), r"gradients\.csv belongs to another run; remove it, or measure it"),
    "one table of another run": (copied("results/gradients.csv"), CHANGED),
    "notes of another run": (copied("results/made.json"), CHANGED),
    "a table edited": (replaced("results/gradients.csv", "0.", "1."), CHANGED),
    "another seed": (replaced("config.json", '"seed": 0', '"seed": 1'), "checksum differs"),
    "another fraction": (replaced("config.json", 'fraction": 0.5', 'fraction": 0.6'), "checksum differs"),
    "another seed with a new checksum": (new_checksum, "another run than its identity says"),
    "a newer version": (replaced("config.json", '"preset"', '"color"'), r"config\.json: expected the configuration"),
    "metrics of another run": (copied("metrics.csv"), r"metrics\.csv is damaged: .*the row of epoch 0"),
    "a row edited": (rows(lambda own: [*own[:2], own[2].replace("0.", "0.9", 1), own[3]]), "the row of epoch 2 on"),
    "rows reversed": (rows(lambda own: own[::-1]), "it is not as training wrote it, from the row of epoch 0 on"),
    "rows exchanged": (rows(lambda own: [*own[:2], own[3], own[2]]), "the row of epoch 2 on"),
    "a row lost": (rows(lambda own: [own[0], *own[2:]]), "the row of epoch 1 on"),
    "the last row lost": (rows(lambda own: own[:3]), "lacks the rows of epochs 3 to 3"),
    "a row twice": (rows(lambda own: [own[0], *own]), "the row of epoch 1 on"),
    "a row added": (
        rows(lambda own: [*own, own[3].replace("3,", "4,", 1)]),
        "that training did not write, from epoch 4",
    ),
    "a row without numbers": (rows(lambda own: [*own[:3], f"3{own[3].count(',') * ','}\n"]), "the row of epoch 3 on"),
    "no note": (lambda mine, theirs: mine.metrics_note.unlink(), r"metrics\.json is missing"),
}


@pytest.mark.parametrize("name", MIX_UPS)
def test_a_mix_up_is_refused_by_name(mine, theirs, name):
    mix_up, message = MIX_UPS[name]
    mix_up(mine, theirs)
    with pytest.raises(ValueError, match=message) as error:
        read(mine)
    assert "\n" not in str(error.value)


# The second is what a kill between two writings leaves: a note without its row.
@pytest.mark.parametrize("happened", [copied("checkpoints/epochs/2"), rows(lambda own: own[:3])])
def test_training_repairs_an_epoch_of_another_run_and_a_row_without_its_note(mine, theirs, trained, happened):
    happened(mine, theirs)
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
        # Most of the time nothing is written, as in a training.
        while not stop.wait(0.05):
            rows.append({**rows[-1], "epoch": len(rows)})
            metrics.write_metrics(mine.workdir, rows, identity)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        lengths, enough = [], lambda: len(lengths) >= 40 and lengths[0] < lengths[-1]
        # On a busy machine the other thread may wait for its turn longer than forty reads take.
        while not enough() and len(lengths) < 10_000:
            lengths.append(len(metrics.read_metrics(mine.workdir, identity)))
    finally:
        stop.set()
        thread.join()
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]


def stopped(*_):
    raise KeyboardInterrupt


def test_what_was_begun_before_training_was_resumed_is_not_mixed_with_what_came_after(mine):
    """A table of the final network is refused once there is another; units of before are not resumed with."""
    settings = [RewindingSettings(rewind_epochs="0", rewind_layers="each")]
    rewind = lambda: driver.measure(get_measurement("rewinding"), mine.workdir, settings)
    rewind()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("memorize_jax.storage.unit_tables.write_table", stopped)
        with pytest.raises(KeyboardInterrupt):
            rewind()
    assert list(mine.results.glob("rewinding.partial.jsonl"))
    train_run(mine.workdir, dataclasses.replace(CONFIG, epochs=4))
    with pytest.raises(ValueError, match=r"rewinding\.csv was measured before training was resumed; remove it"):
        open_study(mine.workdir)
    rewind()
    found = (mine.results / "rewinding.csv").read_bytes()
    rewind()
    assert (mine.results / "rewinding.csv").read_bytes() == found


@pytest.mark.parametrize("changed", ["seed_0", "seed_1", None])
def test_seeds_without_a_configuration_or_measured_with_other_settings_are_not_averaged(trained, tmp_path, changed):
    for seed, name in enumerate(("mine", "theirs")):
        shutil.copytree(trained / name, tmp_path / f"seed_{seed}")
    assert len(open_study(tmp_path).seeds) == 2
    message = r"gradients of .*seed_1 was measured with other settings .*: gradient_bn="
    if changed:
        measure(tmp_path / changed, gradient_bn="eval")
    else:
        (tmp_path / "seed_1" / "config.json").unlink()
        message = r"seed_1 has no config\.json; give the command again that trained it"
    with pytest.raises(ValueError, match=message):
        open_study(tmp_path)


# --- the first version, and data that change


def other_data(part):
    changed = getattr(SPLITS.train, part)[::-1].copy()
    return SPLITS._replace(train=SPLITS.train._replace(**{part: changed}))


def test_a_run_of_the_first_version_gets_new_notes_and_is_known_by_its_true_labels(mine):
    labels = read_labels(mine)
    write_config(mine, CONFIG)
    write_labels(mine, labels, CONFIG)
    old = {"geometry": {"settings": {}, "made_of": "0", "tables": {}, "seconds": 1.0}}
    (mine.results / "made.json").write_text(json.dumps(old))
    measure(mine.workdir)
    assert set(read_notes(mine)) == {"geometry", "gradients"}
    open_study(mine.workdir)
    with pytest.raises(ValueError, match="its true labels are not those of the data set"):
        measure(mine.workdir, other_data("labels"))


@pytest.mark.parametrize("part", ["images", "labels"])
def test_data_that_changed_since_training_are_refused_and_nothing_is_replaced(mine, part):
    contents = lambda: {path: path.read_bytes() for path in mine.workdir.rglob("*") if path.is_file()}
    other, before = other_data(part), contents()
    for step in (
        lambda: measure(mine.workdir, other),
        lambda: train_run(mine.workdir, CONFIG, (other, read_labels(mine))),
        lambda: prepare(mine.workdir, dataclasses.replace(CONFIG, epochs=5), other),
    ):
        with pytest.raises(ValueError, match=f"other data: its (true )?{part} are not those of the data set"):
            step()
    assert contents() == before


@pytest.mark.parametrize("part", ["assigned", "is_permuted"])
def test_labels_that_would_be_drawn_otherwise_now_are_refused_when_training_is_resumed(mine, part):
    held, before = read_labels(mine), mine.metrics.read_bytes()
    other = held._replace(**{part: np.roll(getattr(held, part), 1)})
    write_labels(mine, other, CONFIG, read_noted(mine).identity)
    count = sum(one != two for one, two in zip(getattr(held, part), getattr(other, part), strict=True))
    longer = dataclasses.replace(CONFIG, epochs=5)
    for step in (lambda: prepare(mine.workdir, longer), lambda: train_run(mine.workdir, longer, (SPLITS, held))):
        with pytest.raises(
            ValueError, match=rf"labels\.npz holds other labels .*: {count} of 300 {part} differ"
        ) as error:
            step()
        assert "\n" not in str(error.value)
    assert mine.metrics.read_bytes() == before


def written_anew(run, change):
    """config.json with other content and a checksum that fits."""
    content = json.loads(run.config.read_text())
    change(content)
    del content["checksum"]
    write_json(run.config, content)


@pytest.mark.parametrize("name", ["keep", "epochs", "tensorboard"])
def test_a_setting_that_is_missing_is_not_completed_by_its_default(mine, name):
    written_anew(mine, lambda content: content["config"].pop(name))
    with pytest.raises(ValueError, match=rf"expected the configuration of a run, got no {name}$"):
        read_noted(mine)


def test_settings_that_came_later_may_be_missing(mine):
    lacking = ("wandb", "mlflow", "image_size", "optimizer")
    written_anew(mine, lambda content: [content["config"].pop(name) for name in lacking])
    assert read_noted(mine).config == CONFIG


def whole_numbers(content):
    """As an earlier version wrote a 1 that was given for 1.0: the identity is of what stood there."""
    content["config"]["permuted_fraction"] = 1
    content["identity"] = WHOLE


# SHA-256 of the settings with permuted_fraction=1, the fingerprint and no seeds, taken before 1 was held as 1.0.
WHOLE = "d2e9bff3de59506d66e283b98c7c79bf"


def test_a_run_that_was_begun_with_a_1_for_1_0_is_read_and_resumed(mine):
    def begin(content):
        whole_numbers(content)
        content["data"] = {"images": "a", "labels": "b"}

    written_anew(mine, begin)
    noted = read_noted(mine)
    assert noted.config == dataclasses.replace(CONFIG, permuted_fraction=1.0)
    # As training does that is resumed, which writes it as 1.0.
    write_config(mine, noted.config, noted)
    assert read_noted(mine).identity == WHOLE


@pytest.mark.parametrize(("begun", "asked"), [(0.0, 0), (1.0, 1), (0, 0.0), (1, 1.0)])
def test_a_run_stays_readable_when_it_is_resumed_with_a_number_written_in_another_way(tmp_path, begun, asked):
    run, config = RunFolder(tmp_path), dataclasses.replace(CONFIG, permuted_fraction=begun)
    for value in (begun, asked):
        # Whatever a configuration holds a number as.
        given = dataclasses.replace(config, epochs=5)
        object.__setattr__(given, "permuted_fraction", value)
        begin(run, given, SPLITS)
        assert read_noted(run).config.epochs == 5
    assert read_noted(run).config.permuted_fraction == begun


def test_provenance_grows_and_is_never_replaced(mine, monkeypatch):
    (first,) = read_noted(mine).provenance
    other = {**first, "device": "8 x TPU v4"}
    monkeypatch.setattr("memorize_jax.runs.noted.provenance", lambda: other)
    # Nothing is trained: nobody took part.
    train_run(mine.workdir, CONFIG)
    assert read_noted(mine).provenance == [first]
    train_run(mine.workdir, dataclasses.replace(CONFIG, epochs=4))
    note_provenance(mine)
    assert read_noted(mine).provenance == [first, other]
