import io
import tarfile

import numpy as np
import pytest

from memorize_jax import data
from memorize_jax.data import cifar, registry

PER_MEMBER = 7
SMALL = {
    archive.name: archive._replace(records_per_member=(PER_MEMBER, 4)) for archive in (cifar.CIFAR10, cifar.CIFAR100)
}


@pytest.fixture(params=["cifar10", "cifar100"])
def archive(request, monkeypatch):
    """A small archive in the true format."""
    small = SMALL[request.param]
    monkeypatch.setattr(cifar, small.name.upper(), small)
    return small


def members(archive):
    """Name -> (images, labels, content), with pixels in the format's order: all red, then green, then blue."""
    rng = np.random.default_rng(0)
    result = {}
    for name in (*archive.train, archive.test):
        num = archive.records_per_member[0] if name in archive.train else archive.records_per_member[1]
        images = rng.integers(0, 256, (num, 32, 32, 3)).astype(np.uint8)
        labels = rng.integers(0, archive.num_classes, num).astype(np.uint8)
        records = []
        for image, label in zip(images, labels, strict=True):
            coarse = b"\x13" if archive.label_bytes == 2 else b""
            planes = b"".join(image[:, :, channel].tobytes() for channel in range(3))
            records.append(coarse + bytes([label]) + planes)
        result[name] = images, labels, b"".join(records)
    return result


def write(path, contents, links=()):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as out:
        # As in the original: files nobody asked for come along.
        for name, content in {"readme.html": b"hello", **contents}.items():
            info = tarfile.TarInfo(name)
            if name in links:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
                content = b""
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
    return path


def contents(archive):
    return {name: content for name, (_, _, content) in members(archive).items()}


def unpack(path, contents):
    for name, content in contents.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path / next(iter(contents)).partition("/")[0]


@pytest.mark.parametrize("unpacked", [False, True])
@pytest.mark.parametrize("folder", ["", "downloads/manual"])
def test_an_archive_placed_by_hand_is_read(archive, folder, unpacked, tmp_path):
    made = members(archive)
    if unpacked:
        unpack(tmp_path / folder, contents(archive))
    else:
        write(tmp_path / folder / archive.file, contents(archive))
    splits = data.load(archive.name, data_dir=str(tmp_path))
    for split, names in ((splits.train, archive.train), (splits.test, [archive.test])):
        np.testing.assert_array_equal(split.images, np.concatenate([made[name][0] for name in names]))
        np.testing.assert_array_equal(split.labels, np.concatenate([made[name][1] for name in names]))
        assert split.images.dtype == np.uint8
        assert split.labels.dtype == np.int32
        assert split.num_classes == archive.num_classes
        assert split.name == archive.name


def test_the_true_archives_have_50000_and_10000_records():
    for archive in (cifar.CIFAR10, cifar.CIFAR100):
        assert len(archive.train) * archive.records_per_member[0] == 50_000
        assert archive.records_per_member[1] == 10_000


def refused(archive, path, words):
    with pytest.raises(ValueError, match=words) as error:
        registry.load(archive.name, data_dir=str(path.parent))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_member_of_the_wrong_size_is_refused(archive, tmp_path):
    changed = contents(archive)
    changed[archive.train[0]] += b"\0"
    size = PER_MEMBER * (archive.label_bytes + 3072)
    refused(archive, write(tmp_path / archive.file, changed), f"to be a file of {size} bytes, got a file of {size + 1}")


def test_a_missing_member_is_named(archive, tmp_path):
    changed = contents(archive)
    del changed[archive.test]
    refused(archive, write(tmp_path / archive.file, changed), f"got none named {archive.test}")


def test_a_link_is_not_followed(archive, tmp_path):
    path = write(tmp_path / archive.file, contents(archive), links=(archive.test,))
    refused(archive, path, "got something else of 0")


def test_an_archive_comes_before_a_folder(archive, tmp_path):
    write(tmp_path / archive.file, contents(archive))
    unpack(tmp_path, {archive.test: b"half unpac"})
    assert len(data.load(archive.name, data_dir=str(tmp_path)).test.labels) == archive.records_per_member[1]


def test_a_folder_that_was_half_unpacked_is_refused(archive, tmp_path):
    changed = contents(archive)
    size = archive.records_per_member[1] * (archive.label_bytes + 3072)
    changed[archive.test] = changed[archive.test][:-1]
    refused(archive, unpack(tmp_path / "short", changed), f"to have {size} bytes, got {size - 1}")
    del changed[archive.test]
    refused(archive, unpack(tmp_path / "missing", changed), "expected a file test.*; unpack the archive again")


def test_a_label_out_of_range_is_refused(archive, tmp_path):
    changed = contents(archive)
    changed[archive.test] = b"\xff" * len(changed[archive.test])
    refused(archive, write(tmp_path / archive.file, changed), f"labels below {archive.num_classes}, got 255")


def test_other_members_are_left_alone(archive, tmp_path):
    write(tmp_path / "in" / archive.file, {"../outside": b"x", **contents(archive)})
    data.load(archive.name, data_dir=str(tmp_path / "in"))
    assert [path.name for path in tmp_path.rglob("*")] == ["in", archive.file]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "not an archive", "empty"])
def test_a_damaged_archive_is_named(archive, damage, tmp_path):
    path = write(tmp_path / archive.file, contents(archive))
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        {
            "truncated": whole[:middle],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
            "not an archive": b"<html>404</html>" * 100,
            "empty": b"",
        }[damage]
    )
    refused(archive, path, "damaged archive")
