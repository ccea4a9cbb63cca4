import os
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from memorize_jax.epochs import kept_epochs
from memorize_jax.storage.checkpoints import EpochStore, bytes_needed, check_space, disk, folders, layouts, store
from memorize_jax.training import TrainState
from tests.eight_devices import trainer_steps

ACCURACIES = [0.1, 0.3, 0.7, 0.7, 0.2, 0.1]


def variables(seed):
    kernel, bias, mean = (jax.random.normal(key, (3, 2)) for key in jax.random.split(jax.random.key(seed), 3))
    return {"params": {"linear1": {"kernel": kernel, "bias": bias[0]}}, "batch_stats": {"norm1": {"mean": mean}}}


def state(seed):
    params = variables(seed)["params"]
    tx = optax.adam(1e-3)
    opt_state = tx.init(params)
    _, opt_state = tx.update(jax.tree.map(jnp.sin, params), opt_state, params)
    return TrainState(params, variables(seed)["batch_stats"], opt_state, jnp.int32(seed))


def assert_equal_trees(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def fill(store, epochs, *, complete=(), prune=False):
    """Saves epochs; of those that are `complete` the training state too."""
    for epoch in epochs:
        accuracies = ACCURACIES[: epoch + 1] if prune else None
        store.save(epoch, variables(epoch), state(epoch), complete=epoch in complete, test_accuracies=accuracies)
    store.wait()


def filled_store(folder, epochs):
    with EpochStore(folder) as store:
        fill(store, epochs, complete=epochs[-1:])


@pytest.mark.parametrize("by_orbax", [False, True])
def test_every_epoch_and_the_last_state_come_back_bit_for_bit_as_numpy(tmp_path, monkeypatch, by_orbax):
    filled_store(tmp_path, range(4))
    if by_orbax:
        monkeypatch.setattr(folders, "raw_leaf", lambda manifest, name: None)
    with EpochStore(tmp_path) as store:
        assert store.epochs() == [0, 1, 2, 3]
        for epoch in (3, 0, 2, 1):
            found = store.load(epoch)
            assert {type(leaf) for leaf in jax.tree.leaves(found)} == {np.ndarray}
            assert_equal_trees(found, variables(epoch))
        epoch, found = store.load_training_state(state(0))
    assert epoch == 3
    # With the optimizer's own classes.
    assert isinstance(found, TrainState)
    assert_equal_trees(found, state(3))
    dtypes = [[np.asarray(leaf).dtype for leaf in jax.tree.leaves(tree)] for tree in (found, state(3))]
    assert dtypes[0] == dtypes[1]


@pytest.mark.parametrize(("most", "by_orbax"), [(2**24, 1), (0, 3)])
def test_small_checkpoints_have_the_files_that_orbax_writes(tmp_path, monkeypatch, most, by_orbax):
    monkeypatch.setattr(layouts, "MOST_BYTES", most)
    called, write_leaves = [], layouts.write_leaves
    monkeypatch.setattr(layouts, "write_leaves", lambda *given: called.append(given) or write_leaves(*given))
    with EpochStore(tmp_path) as store:
        for epoch in range(3):
            store.save(epoch, variables(epoch), None, complete=False)
    assert len(called) == by_orbax
    first, *others = (tmp_path / "epochs" / str(epoch) for epoch in range(3))
    contents = {path.relative_to(first).as_posix(): path.read_bytes() for path in first.rglob("*") if path.is_file()}
    for other in others:
        again = {path.relative_to(other).as_posix(): path.read_bytes() for path in other.rglob("*") if path.is_file()}
        assert again.keys() == contents.keys()
        assert [again[name] == own for name, own in contents.items() if name.endswith(".zarray")] == [True] * 3
        assert str(other).encode() in again["commit_success.txt"]


def test_types_are_kept_and_a_network_without_batch_statistics_gets_an_empty_dict_back(tmp_path):
    saved = {name: jnp.arange(6, dtype=name) for name in ("float32", "bfloat16", "int32")}
    with EpochStore(tmp_path) as store:
        store.save(0, {"params": saved}, None, complete=True)
    with EpochStore(tmp_path) as store:
        found = store.load(0)
    assert_equal_trees(found, {"params": saved, "batch_stats": {}})
    assert {name: leaf.dtype.name for name, leaf in found["params"].items()} == {name: name for name in saved}


def test_what_is_stored_is_refused_and_what_is_not_names_what_is(tmp_path):
    with EpochStore(tmp_path) as store:
        assert store.epochs() == []
        assert store.load_training_state(state(0)) is None
        with pytest.raises(FileNotFoundError, match=r"no checkpoint of epoch 0 in .*; stored: none"):
            store.load(0)
    filled_store(tmp_path, range(2, 4))
    # An empty folder is no checkpoint, whatever its name.
    (tmp_path / "epochs" / "7").mkdir()
    with EpochStore(tmp_path) as store:
        assert store.epochs() == [2, 3]
        for epoch in (7, 9):
            message = rf"no checkpoint of epoch {epoch} in .*; stored: 2 epochs from 2 to 3"
            with pytest.raises(FileNotFoundError, match=message):
                store.load(epoch)
        with pytest.raises(RuntimeError, match=r"refused to save epoch 2: .* exists; call forget_after\(1\) first"):
            store.save(2, variables(2), state(2), complete=False)


def test_states_are_stored_when_asked_for_and_epochs_to_be_redone_are_forgotten_and_saved_again(tmp_path):
    with EpochStore(tmp_path) as store:
        fill(store, range(4), complete=[0, 2])
        assert store.load_training_state(state(0))[0] >= 2
        store.forget_after(1)
        assert store.epochs() == [0, 1]
        assert store.load_training_state(state(0))[0] <= 1
        store.save(2, variables(30), state(30), complete=False)
        store.wait()
        assert store.epochs() == [0, 1, 2]
        assert_equal_trees(store.load(2), variables(30))


def test_one_device_reads_what_eight_wrote(eight_devices):
    expected, _ = trainer_steps()
    with EpochStore(eight_devices / "checkpoints") as store:
        assert store.epochs() == [1]
        found = store.load(1)
        epoch, restored = store.load_training_state(expected)
    written = np.load(eight_devices / "float32.npz").values()
    for leaf, saved in zip(jax.tree.leaves(found["params"]), written, strict=True):
        assert type(leaf) is np.ndarray
        np.testing.assert_array_equal(leaf, saved)
    assert epoch == 1
    assert_equal_trees(restored.params, found["params"])
    assert jax.tree.structure(restored) == jax.tree.structure(expected)


MEAN, VARIANCE = np.zeros((3, 2)), np.zeros(2)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"opt_state": ()}, r"as opt_state\.0\.count it holds \(\), and training takes nothing"),
        (
            {"batch_stats": {"norm1": {"mean": MEAN, "var": VARIANCE}}},
            r"as batch_stats\.norm1\.var it holds nothing, and training takes \(2,\)",
        ),
        (
            {"batch_stats": {"norm1": {"mean": MEAN.T}}},
            r"as batch_stats\.norm1\.mean it holds \(3, 2\), and training takes \(2, 3\)",
        ),
    ],
)
def test_a_training_state_of_another_network_or_optimizer_is_refused_in_a_line(tmp_path, changed, said):
    filled_store(tmp_path, range(2))
    with EpochStore(tmp_path) as store, pytest.raises(ValueError, match=said) as error:
        store.load_training_state(state(0)._replace(**changed))
    assert "the training state of epoch 1" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_damaged_network_stays_when_others_are_shortened(tmp_path):
    filled_store(tmp_path, range(3))
    (tmp_path / "epochs" / "1" / "seal.json").write_text("")
    with EpochStore(tmp_path, keep_dtype="bfloat16") as store:
        store.tidy([0.1, 0.2, 0.3])
        assert list(store.faults([0.1, 0.2, 0.3], finished=True)) == [1]
    # The last one is the best too, and stays in full.
    found = [sorted(path.name for path in (tmp_path / name).iterdir()) for name in ("epochs_bfloat16", "epochs")]
    assert found == [["0"], ["1", "2"]]


# --- which networks stay


@pytest.mark.parametrize("keep", ["all", "every:4", "log", "best,last"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_store_holds_what_is_kept_and_the_best_and_the_last_in_full(tmp_path, keep, dtype):
    with EpochStore(tmp_path, keep=keep, keep_dtype=dtype) as store:
        fill(store, range(6), complete=[5], prune=True)
        kept = kept_epochs(keep, ACCURACIES)
        assert store.epochs() == sorted(kept.snapshots | kept.full)
        assert store.faults(ACCURACIES, finished=True) == {}
        for epoch in store.epochs():
            whole = store.load(epoch)
            assert_equal_trees(store.load_layers(epoch, ["linear1"])["params"], whole["params"])
            assert_equal_trees(store.load_layers(epoch, ["norm1"])["batch_stats"], whole["batch_stats"])
            assert {leaf.dtype.name for leaf in jax.tree.leaves(whole)} == {"float32"}
            found = whole["params"]["linear1"]["kernel"]
            exact = np.asarray(variables(epoch)["params"]["linear1"]["kernel"])
            is_full = dtype == "float32" or epoch in kept.full
            np.testing.assert_array_equal(found, exact if is_full else np.float32(exact.astype("bfloat16")))


def test_a_run_kept_in_full_needs_what_was_bounded_and_can_be_thinned_and_shortened(tmp_path):
    with EpochStore(tmp_path) as store:
        fill(store, range(5), complete=range(5), prune=True)
        filled = sum(path.stat().st_blocks * 512 for path in tmp_path.rglob("*"))
        network, whole = ([leaf.nbytes for leaf in jax.tree.leaves(tree)] for tree in (variables(0), state(0)))
        assert filled <= bytes_needed("all", "float32", epochs=4, leaf_bytes=network, state_bytes=whole)
    with EpochStore(tmp_path, keep="every:2", keep_dtype="bfloat16") as store:
        assert store.faults(ACCURACIES[:5], finished=True) == {}
        fill(store, [5], complete=[5], prune=True)
        assert sorted(path.name for path in (tmp_path / "epochs").iterdir()) == ["2", "5"]
        assert sorted(path.name for path in (tmp_path / "epochs_bfloat16").iterdir()) == ["0", "4"]
        # The best has its second, shorter copy once another is better.
        assert store.faults(ACCURACIES, finished=True) == {}


class KilledError(BaseException):
    """Stands for the end of a process: nothing is cleared away."""


def write_raw(folder, leaves):
    """Writes arrays as Orbax does, in a thousandth of the time."""
    for name, leaf in leaves.items():
        (folder / name).mkdir(parents=True)
        leaf.tofile(folder / name / "0")


@pytest.mark.parametrize("keep", ["all", "every:3", "log", "best,last"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_wherever_writing_is_killed_what_goes_on_from_the_newest_state_leaves_the_same(
    tmp_path, monkeypatch, keep, dtype
):
    monkeypatch.setattr(layouts, "write_leaves", write_raw)
    monkeypatch.setattr(store, "STATE_SHARE", 1e-12)
    replace, rng = os.replace, np.random.default_rng(0)
    accuracies = rng.choice(6, 14).tolist()
    network = lambda epoch: {"params": {"kernel": np.float32([epoch + 0.1])}}
    kept, left = kept_epochs(keep, accuracies), 0

    def replace_or_die(*paths):
        nonlocal left
        left -= 1
        if left == 0:
            raise KilledError
        replace(*paths)

    def go_on():
        """What training does from the newest state, which is stored at some epochs; returns whether it was killed."""
        opened = EpochStore(tmp_path, keep=keep, keep_dtype=dtype)
        try:
            newest = opened.load_training_state({"step": np.int32(0)})
            start = -1 if newest is None else newest[0]
            opened.forget_after(start)
            if start >= 0:
                assert opened.faults(accuracies[: start + 1], finished=start == 13) == {}
                opened.tidy(accuracies[: start + 1])
            for epoch in range(start + 1, len(accuracies)):
                how = {"complete": epoch in (5, 8, 13), "test_accuracies": accuracies[: epoch + 1]}
                opened.save(epoch, network(epoch), {"step": np.int32(epoch)}, **how)
            opened.close()
        except KilledError:
            return True
        assert opened.faults(accuracies, finished=True) == {}
        assert opened.epochs() == sorted(kept.snapshots | kept.full)
        exact = {epoch: np.float32(epoch + 0.1) for epoch in opened.epochs()}
        short = {epoch: np.float32(jnp.bfloat16(value)) for epoch, value in exact.items()}
        expected = exact if dtype == "float32" else {**short, **{epoch: exact[epoch] for epoch in kept.full}}
        assert {epoch: opened.load(epoch)["params"]["kernel"][0] for epoch in exact} == expected

    monkeypatch.setattr(os, "replace", replace_or_die)
    deaths = 0
    for _ in range(2):
        while (left := int(rng.integers(1, 12))) and go_on():
            deaths += 1
        shutil.rmtree(tmp_path)
    assert deaths > 1


def test_what_waits_for_a_state_is_written_when_the_store_is_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "STATE_SHARE", 1e-12)
    with EpochStore(tmp_path, keep="best,last") as opened:
        fill(opened, range(5), prune=True)
        assert opened.epochs() == [0]
    assert opened.epochs() == [2, 4]
    assert_equal_trees(opened.load(2), variables(2))


SIZES = {"leaf_bytes": [134_000_000], "state_bytes": [402_000_000], "epochs": 1000}


def test_a_thousand_epochs_of_vgg16_need_their_134_gb_and_too_little_space_names_the_flag_that_helps(
    tmp_path, monkeypatch
):
    assert bytes_needed("all", "float32", **SIZES) == pytest.approx(135.7e9, rel=0.01)
    assert bytes_needed("all", "bfloat16", **SIZES) == pytest.approx(68.7e9, rel=0.01)
    assert bytes_needed("best,last", "float32", **SIZES) == pytest.approx(1.74e9, rel=0.02)
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 80e9)
    check_space([tmp_path], "log", "float32", **SIZES)
    with pytest.raises(OSError, match=r"1000 epochs of 134 MB need 136 GB .*, 80 GB are free in .*; choose") as error:
        check_space([tmp_path], "all", "float32", **SIZES)
    assert "--keep=all --keep_dtype=bfloat16 (68.8 GB) or --keep=every:10 (15.3 GB)" in str(error.value)
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 1e6)
    with pytest.raises(OSError, match="choose another --workdir"):
        check_space([tmp_path], "all", "float32", **SIZES)
    # Several seeds need their space together.
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 20e9)
    ten = [tmp_path / f"seed_{seed}" for seed in range(10)]
    check_space(ten[:1], "every:10", "float32", **SIZES)
    with pytest.raises(OSError, match=r"^10 seeds with 1000 epochs of 134 MB need 153 GB .*=best,last \(17.4 GB\)"):
        check_space(ten, "every:10", "float32", **SIZES)
