import io
import pathlib
import zipfile

import numpy as np
import PIL.Image
import pytest

from memorize_jax import data
from memorize_jax.data import tiny_imagenet
from memorize_jax.data.tiny_imagenet import read_tiny_imagenet

# Not in alphabetical order, as in the original.
CLASSES = ("n02124075", "n01443537", "n03444034")
SIZES = {"num_classes": 3, "train_per_class": 2, "num_test": 4}
TEST_CLASSES = ("n03444034", "n01443537", "n01443537", "n02124075")


def picture(seed, side=64, mode="RGB", kind="JPEG"):
    """A flat image of a colour of its own: it survives compression."""
    color = np.random.default_rng(seed).integers(0, 256, 3)
    image = PIL.Image.fromarray(np.broadcast_to(color, (side, side, 3)).astype(np.uint8)).convert(mode)
    stream = io.BytesIO()
    image.save(stream, kind, quality=95)
    return stream.getvalue(), np.asarray(image.convert("RGB"))


def contents():
    """Name -> bytes of a small data set in the true layout."""
    files = {"wnids.txt": "\n".join(CLASSES).encode(), "words.txt": b"n00001740\tentity\n"}
    for index, name in enumerate(sorted(CLASSES)):
        files[f"train/{name}/{name}_boxes.txt"] = b"0\t0\t63\t63"
        for number in range(2):
            files[f"train/{name}/images/{name}_{number}.JPEG"] = picture(10 * index + number)[0]
    for number in range(4):
        # One of them is grey, as some are in the original.
        files[f"val/images/val_{number}.JPEG"] = picture(100 + number, mode="L" if number == 1 else "RGB")[0]
    rows = (f"val_{number}.JPEG\t{name}\t0\t32\t44\t62\n" for number, name in enumerate(TEST_CLASSES))
    files["val/val_annotations.txt"] = "".join(rows).encode()
    return files


def write_folder(folder, files):
    for name, content in files.items():
        path = folder / "tiny-imagenet-200" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "tiny-imagenet-200"


def write_zip(folder, files):
    path = folder / "tiny-imagenet-200.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {"../../outside": b"x", **files}.items():
            archive.writestr(f"tiny-imagenet-200/{name}", content)
    return path


WRITERS = {"folder": write_folder, "zip": write_zip}


@pytest.fixture(params=WRITERS)
def write(request):
    return WRITERS[request.param]


def test_images_and_labels(write, tmp_path):
    splits = read_tiny_imagenet(write(tmp_path, contents()), **SIZES)
    np.testing.assert_array_equal(splits.train.labels, [0, 0, 1, 1, 2, 2])
    np.testing.assert_array_equal(splits.test.labels, [sorted(CLASSES).index(name) for name in TEST_CLASSES])
    expected = [picture(10 * label + number)[1] for label in range(3) for number in range(2)]
    np.testing.assert_allclose(splits.train.images.astype(int), expected, atol=3)
    expected = [picture(100 + number, mode="L" if number == 1 else "RGB")[1] for number in range(4)]
    np.testing.assert_allclose(splits.test.images.astype(int), expected, atol=3)
    for split in splits:
        assert split.images.dtype == np.uint8
        assert split.labels.dtype == np.int32
        assert (split.num_classes, split.name) == (3, "tiny_imagenet")


@pytest.mark.parametrize("place", ["", "downloads/manual"])
def test_it_is_found_in_the_data_folder(write, place, tmp_path, monkeypatch):
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    path = write(tmp_path / place, contents())
    monkeypatch.setattr(tiny_imagenet, "read_tiny_imagenet", lambda found: found)
    assert data.load("tiny_imagenet", data_dir=str(tmp_path)) == path


def test_a_zip_file_is_not_extracted(tmp_path):
    (tmp_path / "in").mkdir()
    read_tiny_imagenet(write_zip(tmp_path / "in", contents()), **SIZES)
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "tiny-imagenet-200.zip"]


def test_nothing_there_says_how_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"http://cs231n.stanford.edu/tiny-imagenet-200.zip"):
        data.load("tiny_imagenet", data_dir=str(tmp_path))


TRAIN_IMAGE = "train/n01443537/images/n01443537_1.JPEG"
ANNOTATIONS = contents()["val/val_annotations.txt"].decode()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("wnids.txt", b"n01443537\nn02124075", "expected 3 WordNet ids like n01443537 in wnids.txt, got 2"),
        ("wnids.txt", b"n01443537\nn02124075\n../../etc", "got 3 with '../../etc'"),
        ("wnids.txt", b"\xff\xfe", "expected text in wnids.txt"),
        ("val/val_annotations.txt", ANNOTATIONS.replace("val_2", "../../val_2").encode(), "val_annotations.txt"),
        ("val/val_annotations.txt", ANNOTATIONS.replace("n03444034", "n99999999").encode(), "val_annotations.txt"),
        ("val/val_annotations.txt", ANNOTATIONS.partition("\n")[2].encode(), "got 3 images of 2 classes"),
        (TRAIN_IMAGE, b"no image", "expected a JPEG image"),
        (TRAIN_IMAGE, picture(0)[0][:400], "expected a JPEG image"),
        (TRAIN_IMAGE, picture(0, kind="PNG")[0], "expected a JPEG image"),
        (TRAIN_IMAGE, picture(0, side=65)[0], "expected 64 x 64 pixels, got 65 x 65"),
        (TRAIN_IMAGE, bytes(5 << 20), "expected at most 4194304 bytes, got 5242880"),
    ],
)
def test_what_is_wrong_is_named(write, name, content, words, tmp_path):
    path = write(tmp_path, {**contents(), name: content})
    with pytest.raises(ValueError, match=words) as error:
        read_tiny_imagenet(path, **SIZES)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    if name == TRAIN_IMAGE:
        assert TRAIN_IMAGE in str(error.value)


@pytest.mark.parametrize("name", ["wnids.txt", "val/images/val_3.JPEG", TRAIN_IMAGE])
def test_a_missing_file_is_named(write, name, tmp_path):
    files = contents()
    del files[name]
    with pytest.raises(FileNotFoundError, match=name):
        read_tiny_imagenet(write(tmp_path, files), **SIZES)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    path = write_folder(tmp_path, contents())
    secret = tmp_path / "secret.JPEG"
    secret.write_bytes((path / TRAIN_IMAGE).read_bytes())
    (path / TRAIN_IMAGE).unlink()
    (path / TRAIN_IMAGE).symlink_to(secret)
    with pytest.raises(ValueError, match="expected a file inside"):
        read_tiny_imagenet(path, **SIZES)


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_a_damaged_zip_file_is_named(damage, tmp_path):
    path = write_zip(tmp_path, contents())
    whole = bytearray(pathlib.Path(path).read_bytes())
    # The second file of the archive: any byte of it is data.
    middle = whole.index(b"n01443537_0.JPEG") + 100
    whole[middle] ^= 255
    path.write_bytes(whole[:middle] if damage == "truncated" else whole)
    with pytest.raises(ValueError, match="damaged"):
        read_tiny_imagenet(path, **SIZES)
