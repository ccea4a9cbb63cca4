import io
import zipfile

import numpy as np
import PIL.Image
import pytest

from memorize_jax import data
from memorize_jax.data import tiny_imagenet
from tests.data.refusal import POINTER_FILE, refused

# Not in alphabetical order, as in the original.
CLASSES = ("n02124075", "n01443537", "n03444034")
TEST_CLASSES = ("n03444034", "n01443537", "n01443537", "n02124075")
TRAIN_IMAGE = "train/n01443537/images/n01443537_1.JPEG"


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Tiny ImageNet with as few images as the tests make."""
    for name, size in (("NUM_CLASSES", 3), ("TRAIN_PER_CLASS", 2), ("NUM_TEST", 4)):
        monkeypatch.setattr(tiny_imagenet, name, size)


def picture(seed, side=64, mode="RGB", kind="JPEG"):
    """A flat image of a color of its own: it survives compression."""
    color = np.random.default_rng(seed).integers(0, 256, 3)
    image = PIL.Image.fromarray(np.broadcast_to(color, (side, side, 3)).astype(np.uint8)).convert(mode)
    stream = io.BytesIO()
    image.save(stream, kind, quality=95)
    return stream.getvalue(), np.asarray(image.convert("RGB"))


JPEG = picture(0)[0]


def contents():
    """Name -> bytes of a small data set in the true layout."""
    files = {"wnids.txt": "\n".join(CLASSES).encode(), "words.txt": b"n00001740\tentity\n"}
    for index, name in enumerate(sorted(CLASSES)):
        files[f"train/{name}/{name}_boxes.txt"] = b"0\t0\t63\t63"
        for number in range(2):
            files[f"train/{name}/images/{name}_{number}.JPEG"] = picture(10 * index + number)[0]
    for number in range(4):
        # One of them is gray, as some are in the original.
        files[f"val/images/val_{number}.JPEG"] = picture(100 + number, mode="L" if number == 1 else "RGB")[0]
    rows = (f"val_{number}.JPEG\t{name}\t0\t32\t44\t62\n" for number, name in enumerate(TEST_CLASSES))
    files["val/val_annotations.txt"] = "".join(rows).encode()
    return files


FILES = contents()
ANNOTATIONS = FILES["val/val_annotations.txt"]


def write_folder(folder, files):
    for name, content in files.items():
        path = folder / "tiny-imagenet-200" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "tiny-imagenet-200"


def write_zip(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny-imagenet-200.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {"../../outside": b"x", **files}.items():
            archive.writestr(f"tiny-imagenet-200/{name}", content)
    return path


@pytest.fixture(params=[write_folder, write_zip])
def write(request):
    return request.param


def num_test(data_dir):
    return len(data.load("tiny_imagenet", data_dir=str(data_dir)).test.labels)


@pytest.mark.parametrize("place", ["", "downloads/manual"])
def test_images_and_labels_and_nothing_is_extracted(write, place, tmp_path):
    write(tmp_path / place, FILES)
    before = sorted(tmp_path.parent.rglob("*"))
    splits = data.load("tiny_imagenet", data_dir=str(tmp_path))
    assert sorted(tmp_path.parent.rglob("*")) == before
    np.testing.assert_array_equal(splits.train.labels, [0, 0, 1, 1, 2, 2])
    np.testing.assert_array_equal(splits.test.labels, [sorted(CLASSES).index(name) for name in TEST_CLASSES])
    train = [picture(10 * label + number)[1] for label in range(3) for number in range(2)]
    test = [picture(100 + number, mode="L" if number == 1 else "RGB")[1] for number in range(4)]
    for split, expected in zip(splits, (train, test), strict=True):
        np.testing.assert_allclose(split.images.astype(int), expected, atol=3)
        assert (split.images.dtype, split.labels.dtype) == (np.uint8, np.int32)
        assert (split.num_classes, split.name) == (3, "tiny_imagenet")


def test_a_whole_zip_file_wins_over_a_folder_that_was_unpacked_in_part(tmp_path):
    folder = write_folder(tmp_path, {"wnids.txt": b"n01443537"})
    refused("tiny_imagenet", tmp_path, "expected 3 WordNet ids")
    path = write_zip(tmp_path, FILES)
    assert [num_test(given) for given in (tmp_path, folder, path)] == [4, 4, 4]


def test_it_may_be_given_itself_and_under_another_name(tmp_path):
    folder = write_folder(tmp_path, FILES)
    assert num_test(folder) == 4
    folder.rename(tmp_path / "renamed")
    assert num_test(tmp_path / "renamed") == 4


def test_a_zip_file_packed_again_is_read_and_one_of_something_else_shows_what_it_holds(tmp_path):
    write_zip(tmp_path, {f"./{name}": content for name, content in FILES.items()})
    assert num_test(tmp_path) == 4
    write_zip(tmp_path, {"other.txt": b"x"})
    refused("tiny_imagenet", tmp_path, "it holds", "tiny-imagenet-200/other.txt", kind=FileNotFoundError)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("wnids.txt", b"n01443537\nn02124075", "expected 3 WordNet ids like n01443537 in wnids.txt, got 2"),
        ("wnids.txt", b"n01443537\nn02124075\n../../etc", "got 3 with '../../etc'"),
        ("wnids.txt", b"\xff\xfe", "expected text in wnids.txt"),
        ("val/val_annotations.txt", ANNOTATIONS.replace(b"val_2", b"../../val_2"), "val_annotations.txt"),
        ("val/val_annotations.txt", ANNOTATIONS.replace(b"n03444034", b"n99999999"), "val_annotations.txt"),
        ("val/val_annotations.txt", ANNOTATIONS.partition(b"\n")[2], "got 3 images of 2 classes"),
        (TRAIN_IMAGE, b"no image", "expected a JPEG image"),
        (TRAIN_IMAGE, b"", "got 0 bytes that are none"),
        (TRAIN_IMAGE, JPEG[:30], "that are none, or not all of one"),
        (TRAIN_IMAGE, JPEG[:400], "expected a JPEG image"),
        (TRAIN_IMAGE, JPEG[:-3], "that are none, or not all of one"),
        (TRAIN_IMAGE, picture(0, kind="PNG")[0], r"they start with b'\x89PNG"),
        (TRAIN_IMAGE, picture(0, side=65)[0], "expected 64 x 64 pixels, got 65 x 65"),
        # The header of an image of four thousand million pixels.
        (TRAIN_IMAGE, JPEG.replace(b"\x08\0\x40\0\x40", b"\x08\xff\xff\xff\xff"), "expected a JPEG image"),
        (TRAIN_IMAGE, bytes(5 << 20), "expected at most 4194304 bytes, got 5242880"),
    ],
)
def test_what_is_wrong_is_named_by_its_path_in_the_data_set(write, name, content, words, tmp_path):
    path = write(tmp_path, {**FILES, name: content})
    where = TRAIN_IMAGE if name == TRAIN_IMAGE else ""
    refused("tiny_imagenet", tmp_path, path, where, words)


@pytest.mark.parametrize("name", ["wnids.txt", "val/images/val_3.JPEG", TRAIN_IMAGE])
def test_a_missing_file_is_named(write, name, tmp_path):
    write(tmp_path, {other: content for other, content in FILES.items() if other != name} | {"wnids.txt~": b""})
    refused("tiny_imagenet", tmp_path, name, "again", kind=FileNotFoundError)


def test_what_is_missing_says_what_is_there_and_how_to_get_it(tmp_path):
    source = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
    (tmp_path / "tiny-imagenet-100.zip").touch()
    refused("tiny_imagenet", tmp_path, source, "it holds tiny-imagenet-100.zip", kind=FileNotFoundError)
    write_folder(tmp_path, {"words.txt": b""})
    refused("tiny_imagenet", tmp_path, source, "file wnids.txt", "folder holds words.txt", kind=FileNotFoundError)
    write_folder(tmp_path, {"wnids.txt": POINTER_FILE})
    refused("tiny_imagenet", tmp_path, "tiny-imagenet-200/wnids.txt", "git lfs pull")
    (tmp_path / "tiny-imagenet-200.zip").write_bytes(POINTER_FILE)
    refused("tiny_imagenet", tmp_path, "tiny-imagenet-200.zip", "git lfs pull")


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    path = write_folder(tmp_path / "data", FILES)
    (path / TRAIN_IMAGE).rename(tmp_path / "secret.JPEG")
    (path / TRAIN_IMAGE).symlink_to(tmp_path / "secret.JPEG")
    refused("tiny_imagenet", path, "expected a file inside")


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_a_damaged_zip_file_is_named(damage, tmp_path):
    path = write_zip(tmp_path, FILES)
    whole = bytearray(path.read_bytes())
    # The second file of the archive: any byte of it is data.
    middle = whole.index(b"n01443537_0.JPEG") + 100
    whole[middle] ^= 255
    path.write_bytes(whole[:middle] if damage == "truncated" else whole)
    refused("tiny_imagenet", tmp_path, path, "damaged")
