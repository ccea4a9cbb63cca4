import jax
import numpy as np
import pytest

from memorize_jax.epochs import check_keep, kept_epochs, snapshots
from memorize_jax.storage.checkpoints import EpochStore, bytes_needed, check_space, disk
from tests.storage.test_checkpoints import state, variables

ACCURACIES = [0.1, 0.3, 0.7, 0.7, 0.2, 0.1, 0.3, 0.2, 0.1, 0.1, 0.1]


@pytest.mark.parametrize(
    ("keep", "snapshots"),
    [
        ("all", set(range(11))),
        ("every:1", set(range(11))),
        ("every:4", {0, 4, 8}),
        ("log", {0, 1, 2, 3, 4, 6, 8}),
        ("best,last", set()),
    ],
)
def test_what_is_kept(keep, snapshots):
    check_keep(keep)
    kept = kept_epochs(keep, ACCURACIES)
    assert kept.snapshots == snapshots
    assert kept.full == {2, 10}


@pytest.mark.parametrize("keep", ["", "every", "every:0", "every:-1", "every:1.5", "best", "last,best", "none"])
def test_another_choice_is_refused(keep):
    with pytest.raises(ValueError, match=r"expected keep to be all, every:K with K >= 1, log, or best,last, got"):
        check_keep(keep)


@pytest.mark.parametrize("keep", ["all", "every:4", "log", "best,last"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_store_holds_what_is_kept_and_the_best_and_the_last_in_full(tmp_path, keep, dtype):
    with EpochStore(tmp_path, keep=keep, keep_dtype=dtype) as store:
        for epoch in range(6):
            store.save(
                epoch, variables(epoch), state(epoch), complete=epoch == 5, test_accuracies=ACCURACIES[: epoch + 1]
            )
        store.wait()
        kept = kept_epochs(keep, ACCURACIES[:6])
        assert store.epochs() == sorted(kept.snapshots | kept.full)
        assert store.faults(ACCURACIES[:6], finished=True) == {}
        for epoch in store.epochs():
            found = store.load(epoch)["params"]["linear1"]["kernel"]
            exact = np.asarray(variables(epoch)["params"]["linear1"]["kernel"])
            assert found.dtype == np.float32
            if dtype == "float32" or epoch in kept.full:
                np.testing.assert_array_equal(found, exact)
            else:
                np.testing.assert_array_equal(found, np.float32(exact.astype("bfloat16")))


def test_a_run_kept_in_full_can_be_thinned_and_shortened(tmp_path):
    with EpochStore(tmp_path) as store:
        for epoch in range(5):
            store.save(epoch, variables(epoch), state(epoch), complete=True, test_accuracies=ACCURACIES[: epoch + 1])
    with EpochStore(tmp_path, keep="every:2", keep_dtype="bfloat16") as store:
        assert store.faults(ACCURACIES[:5], finished=True) == {}
        store.save(5, variables(5), state(5), complete=True, test_accuracies=ACCURACIES[:6])
        store.wait()
        assert sorted(path.name for path in (tmp_path / "epochs").iterdir()) == ["2", "5"]
        assert sorted(path.name for path in (tmp_path / "epochs_bfloat16").iterdir()) == ["0", "4"]
        # The best has its second, shorter copy once another is better.
        assert store.faults(ACCURACIES[:6], finished=True) == {}


SIZES = {"leaf_bytes": [134_000_000], "state_bytes": [402_000_000], "epochs": 1000}


def test_a_thousand_epochs_of_vgg16_need_their_134_gb():
    assert bytes_needed("all", "float32", **SIZES) == pytest.approx(135.7e9, rel=0.01)
    assert bytes_needed("all", "bfloat16", **SIZES) == pytest.approx(68.7e9, rel=0.01)
    assert bytes_needed("best,last", "float32", **SIZES) == pytest.approx(1.6e9, rel=0.02)


@pytest.mark.parametrize("keep", ["all", "every:1", "every:4", "every:20", "log", "best,last"])
@pytest.mark.parametrize("last", [0, 1, 2, 3, 4, 10, 12, 13])
def test_kept_epochs_are_counted_without_a_list_of_all(keep, last):
    assert len(snapshots(keep, last)) == len(kept_epochs(keep, [0.0] * (last + 1)).snapshots)
    assert len(snapshots(keep, 10**12)) in (10**12 + 1, 25 * 10**10 + 1, 5 * 10**10 + 1, 80, 0)


def test_too_little_space_names_the_flag_that_helps(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 80e9)
    check_space(tmp_path, "log", "float32", **SIZES)
    with pytest.raises(OSError, match=r"1000 epochs of 134 MB need 136 GB .*, 80 GB are free in .*; choose") as error:
        check_space(tmp_path, "all", "float32", **SIZES)
    assert "--keep=all --keep_dtype=bfloat16 (68.7 GB) or --keep=every:10 (15.1 GB)" in str(error.value)
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 1e6)
    with pytest.raises(OSError, match="choose another --workdir"):
        check_space(tmp_path, "all", "float32", **SIZES)


def test_the_need_bounds_what_a_store_fills(tmp_path):
    with EpochStore(tmp_path) as store:
        for epoch in range(6):
            store.save(epoch, variables(epoch), state(epoch), complete=True, test_accuracies=ACCURACIES[: epoch + 1])
    filled = sum(path.stat().st_blocks * 512 for path in tmp_path.rglob("*"))
    network, whole = ([leaf.nbytes for leaf in jax.tree.leaves(tree)] for tree in (variables(0), state(0)))
    assert filled <= bytes_needed("all", "float32", epochs=5, leaf_bytes=network, state_bytes=whole)
