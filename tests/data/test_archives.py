"""What holds for every data set that comes as one archive."""

import numpy as np
import pytest

from memorize_jax import data
from tests.data.archives import POINTER_FILE, SMALL, refused


@pytest.fixture(params=SMALL)
def name(request, monkeypatch):
    SMALL[request.param].shrink(monkeypatch)
    return request.param


@pytest.fixture
def small(name):
    return SMALL[name]


def num_test(name, place):
    return len(data.load(name, data_dir=str(place)).test.labels)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("place", ["", "downloads/manual"])
def test_it_is_read_and_nothing_is_extracted(name, small, place, packed, tmp_path):
    (small.pack if packed else small.unpack)(tmp_path / "data" / place)
    before = sorted(tmp_path.rglob("*"))
    splits = data.load(name, data_dir=str(tmp_path / "data"))
    assert sorted(tmp_path.rglob("*")) == before
    for split, (images, labels) in zip(splits, small.splits, strict=True):
        # JPEG is not exact.
        np.testing.assert_allclose(split.images.astype(int), images, atol=3 * (name == "tiny_imagenet"))
        np.testing.assert_array_equal(split.labels, labels)
        assert (split.images.dtype, split.labels.dtype) == (np.uint8, np.int32)
        assert (split.num_classes, split.name) == (small.num_classes, name)


def test_it_may_be_given_itself_and_its_folder_under_another_name(name, small, tmp_path):
    folder = small.unpack(tmp_path / "unpacked")
    (tmp_path / "renamed").symlink_to(folder)
    marker = "wnids.txt" if name == "tiny_imagenet" else small.last
    for given in (small.pack(tmp_path / "packed"), folder, folder / marker, tmp_path / "renamed"):
        assert num_test(name, given) == 4


def test_an_archive_wins_over_a_folder_that_was_unpacked_in_part(name, small, tmp_path):
    part = {file: content[:9] for file, content in small.contents.items() if file in ("wnids.txt", small.last)}
    folder = small.unpack(tmp_path, part)
    with pytest.raises((ValueError, FileNotFoundError), match=str(folder)):
        data.load(name, data_dir=str(tmp_path))
    archive = small.pack(tmp_path)
    assert [num_test(name, given) for given in (tmp_path, folder, archive)] == [4, 4, 4]


def test_an_archive_packed_again_is_read_and_one_of_something_else_shows_what_it_holds(name, small, tmp_path):
    small.pack(tmp_path, folder=f"./{small.folder}")
    assert num_test(name, tmp_path) == 4
    small.pack(tmp_path, {"data_batch_1": b"\x80\x04."}, folder="other")
    kind = FileNotFoundError if name == "tiny_imagenet" else ValueError
    refused(name, tmp_path, "it holds ../../outside, other/data_batch_1, readme.html", kind=kind)


@pytest.mark.parametrize("packed", [True, False])
def test_a_missing_file_is_named(name, small, packed, tmp_path):
    rest = {file: content for file, content in small.contents.items() if file != small.last}
    path = (small.pack if packed else small.unpack)(tmp_path, rest)
    kind = ValueError if packed and name != "tiny_imagenet" else FileNotFoundError
    refused(name, tmp_path, path, small.last, "it holds" if packed else "again (the folder holds", kind=kind)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "not an archive", "empty"])
def test_a_damaged_archive_is_named(name, small, damage, tmp_path):
    path = small.pack(tmp_path)
    whole = bytearray(path.read_bytes())
    # A byte of the data of an image.
    middle = whole.index(b"_0.JPEG") + 100 if name == "tiny_imagenet" else len(whole) // 2
    whole[middle] ^= 255
    damaged = {"truncated": whole[:middle], "flipped": whole, "not an archive": b"<html>404</html>" * 100, "empty": b""}
    path.write_bytes(damaged[damage])
    refused(name, tmp_path, path, "damaged")


def test_pointers_of_git_lfs_are_refused(name, small, tmp_path):
    small.unpack(tmp_path, small.contents | {small.last: POINTER_FILE})
    refused(name, tmp_path, small.last, "git lfs pull")
    (tmp_path / small.file).write_bytes(POINTER_FILE)
    refused(name, tmp_path, small.file, "git lfs pull")


def test_another_version_is_named_and_not_read(name, small, tmp_path):
    # A folder of that name: whoever reads its file, which cannot be unpickled, fails.
    (tmp_path / small.other).mkdir()
    (tmp_path / small.other / "data_batch_1").write_bytes(b"\x80\x04")
    words = ("http", small.file)
    refused(name, tmp_path, f"it holds {small.other}", *words, kind=FileNotFoundError)
    seen = (f"{small.other} and, in it", "it holds data_batch_1")
    refused(name, tmp_path / small.other, *seen, *words, kind=FileNotFoundError)
