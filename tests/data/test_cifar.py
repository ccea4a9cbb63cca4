import gzip
import io
import tarfile

import numpy as np
import pytest

from memorize_jax import data
from memorize_jax.data import cifar
from tests.data.refusal import POINTER_FILE, refused

PER_MEMBER = 7
SMALL = {name: archive._replace(records_per_member=(PER_MEMBER, 4)) for name, archive in cifar.ARCHIVES.items()}


@pytest.fixture(params=SMALL)
def name(request, monkeypatch):
    """A data set with few records in its true format."""
    monkeypatch.setitem(cifar.ARCHIVES, request.param, SMALL[request.param])
    return request.param


def members(archive):
    """Name -> (images, labels, content), with pixels in the format's order: all red, then green, then blue."""
    rng = np.random.default_rng(0)
    result = {}
    for member in (*archive.train, archive.test):
        num = archive.records_per_member[member == archive.test]
        images = rng.integers(0, 256, (num, 32, 32, 3)).astype(np.uint8)
        labels = rng.integers(0, archive.num_classes, num).astype(np.uint8)
        coarse = b"\x13" if archive.label_bytes == 2 else b""
        records = (
            coarse + bytes([label]) + image.transpose(2, 0, 1).tobytes()
            for image, label in zip(images, labels, strict=True)
        )
        result[member] = images, labels, b"".join(records)
    return result


def contents(name):
    return {member: content for member, (_, _, content) in members(SMALL[name]).items()}


def write(path, contents, links=()):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as out:
        # As in the original: files nobody asked for come along.
        for member, content in {"readme.html": b"hello", "../outside": b"x", **contents}.items():
            info = tarfile.TarInfo(member)
            if member in links:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
                content = b""
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
    return path


def unpack(path, contents):
    for member, content in contents.items():
        (path / member).parent.mkdir(parents=True, exist_ok=True)
        (path / member).write_bytes(content)
    return path / next(iter(contents)).partition("/")[0]


def test_the_true_archives_have_50000_and_10000_records():
    for archive in cifar.ARCHIVES.values():
        assert len(archive.train) * archive.records_per_member[0] == 50_000
        assert archive.records_per_member[1] == 10_000


@pytest.mark.parametrize("unpacked", [False, True])
@pytest.mark.parametrize("folder", ["", "downloads/manual"])
def test_an_archive_placed_by_hand_is_read_and_nothing_is_extracted(name, folder, unpacked, tmp_path):
    archive, made = SMALL[name], members(SMALL[name])
    if unpacked:
        unpack(tmp_path / folder, contents(name))
    else:
        write(tmp_path / folder / archive.file, contents(name))
    before = sorted(tmp_path.parent.rglob("*"))
    splits = data.load(name, data_dir=str(tmp_path))
    assert sorted(tmp_path.parent.rglob("*")) == before
    for split, parts in ((splits.train, archive.train), (splits.test, [archive.test])):
        np.testing.assert_array_equal(split.images, np.concatenate([made[part][0] for part in parts]))
        np.testing.assert_array_equal(split.labels, np.concatenate([made[part][1] for part in parts]))
        assert (split.images.dtype, split.labels.dtype) == (np.uint8, np.int32)
        assert (split.num_classes, split.name) == (archive.num_classes, name)


def test_it_is_found_from_its_folder_or_archive_or_above(name, tmp_path):
    archive = SMALL[name]
    unpack(tmp_path / "unpacked", contents(name))
    write(tmp_path / "packed" / archive.file, contents(name))
    inside = archive.test.partition("/")[0]
    (tmp_path / "renamed").symlink_to(tmp_path / "unpacked" / inside)
    expected = data.load(name, data_dir=str(tmp_path / "packed"))
    unpacked = ("unpacked", f"unpacked/{inside}", f"unpacked/{archive.test}", "renamed")
    for given in (*unpacked, f"packed/{archive.file}"):
        found = data.load(name, data_dir=str(tmp_path / given))
        np.testing.assert_array_equal(found.train.images, expected.train.images)


@pytest.mark.parametrize("ending", [".tar.gz", ".tar"])
@pytest.mark.parametrize("compressed", [True, False])
def test_an_archive_packed_again_is_read_whatever_its_ending(name, ending, compressed, tmp_path):
    packed = write(tmp_path / "packed", {f"./{member}": content for member, content in contents(name).items()})
    content = packed.read_bytes() if compressed else gzip.decompress(packed.read_bytes())
    (tmp_path / SMALL[name].file.replace(".tar.gz", ending)).write_bytes(content)
    assert len(data.load(name, data_dir=str(tmp_path)).test.labels) == 4


def test_an_archive_comes_before_a_folder(name, tmp_path):
    write(tmp_path / SMALL[name].file, contents(name))
    unpack(tmp_path, {SMALL[name].test: b"half unpac"})
    assert len(data.load(name, data_dir=str(tmp_path)).test.labels) == 4


def test_an_archive_that_does_not_fit_is_refused(name, tmp_path):
    archive, good = SMALL[name], contents(name)
    size = PER_MEMBER * (archive.label_bytes + 3072)
    path = tmp_path / archive.file

    def refuse(made, *words, links=()):
        refused(name, tmp_path, write(path, made, links), *words)

    longer = good | {archive.train[0]: good[archive.train[0]] + b"\0"}
    refuse(longer, f"expected {archive.train[0]} to be a file of {size} bytes, got a file of {size + 1}")
    refuse({member: good[member] for member in archive.train}, f"got none named {archive.test}")
    refuse(good, "got something else of 0", links=(archive.test,))
    refuse(good | {archive.test: b"\xff" * len(good[archive.test])}, f"below {archive.num_classes}, got 255")
    another = {"cifar-10-batches-py/data_batch_1": b"\x80\x04."}
    refuse(another, "got none named", "it holds ../outside, cifar-10-batches-py/data_batch_1, readme.html")


def test_a_folder_that_was_half_unpacked_is_refused(name, tmp_path):
    archive, changed = SMALL[name], contents(name)
    size = len(changed[archive.test])
    changed[archive.test] = changed[archive.test][:-1]
    refused(name, tmp_path / "short", unpack(tmp_path / "short", changed), f"to have {size} bytes, got {size - 1}")
    del changed[archive.test]
    words = (f"expected a file {archive.test.partition('/')[2]}", "unpack the archive again")
    refused(name, tmp_path / "gone", unpack(tmp_path / "gone", changed), *words, kind=FileNotFoundError)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "not an archive", "empty"])
def test_a_damaged_archive_is_named(name, damage, tmp_path):
    path = write(tmp_path / SMALL[name].file, contents(name))
    whole = path.read_bytes()
    middle = len(whole) // 2
    damaged = {
        "truncated": whole[:middle],
        "flipped": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
        "not an archive": b"<html>404</html>" * 100,
        "empty": b"",
    }
    path.write_bytes(damaged[damage])
    refused(name, tmp_path, path, "damaged archive")


@pytest.mark.parametrize("version", ["python.tar.gz", "matlab.tar.gz", "batches-py"])
def test_the_python_version_is_named_and_not_read(name, version, tmp_path):
    held = SMALL[name].file.replace("binary.tar.gz", version)
    (tmp_path / held).mkdir()
    # Would fail if it was unpickled.
    (tmp_path / held / "data_batch_1").write_bytes(b"\x80\x04")
    words = ("binary version (not the python or Matlab version)", SMALL[name].file)
    refused(name, tmp_path, f"it holds {held}", *words, kind=FileNotFoundError)
    seen = (f"{held} and, in it", "it holds data_batch_1")
    refused(name, tmp_path / held, *seen, *words, kind=FileNotFoundError)


def test_pointers_of_git_lfs_are_refused(name, tmp_path):
    unpack(tmp_path, contents(name) | {SMALL[name].test: POINTER_FILE})
    refused(name, tmp_path, SMALL[name].test, "git lfs pull")
    (tmp_path / SMALL[name].file).write_bytes(POINTER_FILE)
    refused(name, tmp_path, SMALL[name].file, "git lfs pull")
