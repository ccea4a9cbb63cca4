import pathlib
import re

import numpy as np
import PIL.Image
import pytest

from memorize_jax import data
from memorize_jax.data import openclipart


def save(path, pixels, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(np.asarray(pixels, np.uint8)).convert(mode).save(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes of 30 and 32 pictures, one below the other; a folder of too few, and one without a category."""
    root = tmp_path_factory.mktemp("png")
    rng = np.random.default_rng(0)
    for name, number in {"animals": 30, "animals/birds": 32, "few": 29, "unsorted": 40}.items():
        for at in range(number):
            save(root / name / f"{at:02}.png", rng.integers(0, 256, (4, 4, 3)))
    (root / "animals" / "few.png").symlink_to(root / "few" / "00.png")
    (root / "animals" / "note.txt").write_text("not a picture")
    return root


@pytest.fixture
def copied(folder, tmp_path):
    """The folder's two classes, by links to its files that are none of the kind that is left out."""
    for name in ("animals", "animals/birds"):
        (tmp_path / name).mkdir()
        for file in sorted((folder / name).glob("[0-9]*.png")):
            (tmp_path / name / file.name).hardlink_to(file)
    return tmp_path


def test_classes_are_the_folders_of_enough_pictures_in_the_order_of_their_names(folder):
    files = openclipart.picture_files(folder)
    assert {name: len(of_class) for name, of_class in files.items()} == {"animals": 30, "animals/birds": 32}
    train, test = data.load("openclipart", data_dir=str(folder))
    for split, counts in ((train, [20, 22]), (test, [10, 10])):
        np.testing.assert_array_equal(np.bincount(split.labels), counts)
        assert (split.images.shape[1:], split.images.dtype) == ((32, 32, 3), np.uint8)
        assert (split.labels.dtype, split.num_classes, split.name) == (np.int32, 2, "openclipart")
    # A picture of 4 x 4 pixels becomes blocks of 8 x 8.
    shown = {
        image[::8, ::8].tobytes(): label for split in (train, test) for image, label in zip(*split[:2], strict=True)
    }
    for label, name in enumerate(files):
        for file in files[name]:
            assert shown.pop(np.asarray(PIL.Image.open(file)).tobytes()) == label
    assert not shown


def test_a_picture_is_averaged_over_areas_and_white_where_it_is_transparent_or_not_square(tmp_path):
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (64, 32, 4))
    save(tmp_path / "colors.png", pixels)
    opacity = pixels[..., 3:] / 255
    # Averages of colors over white, over 2 x 2 pixels.
    over_white = (pixels[..., :3] * opacity + 255 * (1 - opacity)).reshape(32, 2, 16, 2, 3).mean((1, 3))
    image = openclipart.read_picture(tmp_path / "colors.png")
    np.testing.assert_allclose(image[:, 8:24], over_white, atol=2.5)
    assert (image[:, :8] == 255).all()
    assert (image[:, 24:] == 255).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_kinds_of_pixels_do_not_matter(tmp_path, mode):
    pixels = np.kron(np.random.default_rng(2).integers(0, 2, (4, 4)), np.full((8, 8), 255))
    save(tmp_path / "picture.png", pixels, mode)
    np.testing.assert_array_equal(openclipart.read_picture(tmp_path / "picture.png"), pixels[..., None].repeat(3, -1))


def test_equal_pictures_are_taken_once_and_not_at_all_if_they_are_of_two_classes(copied):
    images, labels = np.array([[1], [2], [1], [3], [3], [4]], np.uint8), np.array([0, 0, 0, 0, 1, 1])
    assert openclipart.distinct(images, labels).tolist() == [True, True, False, False, False, True]
    for at in range(2):
        save(copied / "animals" / f"white{at}.png", np.full((2, 2), 255))
        save(copied / "animals" / f"black{at}.png", np.full((2, 2), 0))
    save(copied / "animals" / "birds" / "white.png", np.full((2, 2), 255))
    train, test = openclipart.read_openclipart(copied)
    np.testing.assert_array_equal(np.bincount(train.labels) + np.bincount(test.labels), [31, 32])


def test_of_a_large_class_some_are_taken_always_the_same_and_too_large_pictures_never(copied, monkeypatch):
    monkeypatch.setattr(openclipart, "MOST_PER_CLASS", 31)
    monkeypatch.setattr(openclipart, "MOST_PIXELS", 16)
    save(copied / "animals" / "large.png", np.zeros((4, 5)))
    first, again = openclipart.picture_files(copied), openclipart.picture_files(copied)
    assert first == again
    assert {name: len(files) for name, files in first.items()} == {"animals": 30, "animals/birds": 31}
    assert copied / "animals" / "large.png" not in first["animals"]


def _truncated(path):
    path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_truncated, "damaged, or not a picture for this data set (image file is truncated"),
        (
            lambda path: path.write_bytes(b"GIF89a" + bytes(40)),
            "expected a PNG picture, got a file that starts with b'GIF",
        ),
        (lambda path: path.write_bytes(b""), "expected a PNG picture, got a file that starts with b''"),
        (
            lambda path: PIL.Image.fromarray(np.zeros((3, 3), np.uint16)).save(path),
            "expected at most eight bits a channel, got mode I;16",
        ),
    ],
)
def test_a_damaged_file_is_named(copied, spoil, message):
    path = copied / "animals" / "new.png"
    save(path, np.random.default_rng(3).integers(0, 256, (9, 9, 3)))
    spoil(path)
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}: .*{re.escape(message)}.*; take it away$"):
        data.load("openclipart", data_dir=str(copied))


def test_what_is_missing_is_said_with_the_package_that_has_it(tmp_path, copied):
    for place, words in ((tmp_path / "none", "does not exist"), (copied / "animals" / "birds", r"holds 00\.png")):
        with pytest.raises(FileNotFoundError, match=rf"two folders .* {words}.*apt-get install openclipart-png"):
            data.load("openclipart", data_dir=str(place))


def test_classes_whose_pictures_are_all_equal_are_none(tmp_path):
    for name in ("one", "two"):
        for at in range(30):
            save(tmp_path / name / f"{at}.png", np.full((2, 2), 7))
    with pytest.raises(ValueError, match=r"expected at least two folders with 30 different pictures in .*, got 0"):
        data.load("openclipart", data_dir=str(tmp_path))


@pytest.mark.slow
@pytest.mark.skipif(not pathlib.Path(openclipart.DEBIAN_FOLDER).is_dir(), reason="needs openclipart-png")
def test_debians_package_has_52_classes():
    train, test = data.load("openclipart")
    counts = [np.bincount(split.labels, minlength=train.num_classes) for split in (train, test)]
    assert (train.num_classes, len(train.labels), len(test.labels)) == (52, 2196, 1078)
    assert sum(counts).min() >= 30
    assert sum(counts).max() == 100
    assert not {image.tobytes() for image in train.images} & {image.tobytes() for image in test.images}
