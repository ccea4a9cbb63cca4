import os
import re

import numpy as np
import PIL.Image
import pytest

from memorize_jax import data
from memorize_jax.config import RunConfig
from memorize_jax.data import decoded, image_folder


def save(path, pixels, mode=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(np.asarray(pixels, np.uint8)).convert(mode).save(path, **options)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The user's cache directory, of this test alone."""
    monkeypatch.setattr(decoded.platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache" / "memorize_jax" / "pictures"


@pytest.fixture
def folder(tmp_path):
    """Two classes of two training pictures and one for test each, of 6 x 6 pixels in colors."""
    rng = np.random.default_rng(0)
    for part, names in (("train", ("a.png", "b.PNG")), ("test", ("c.png",))):
        for label in ("dog", "cat"):
            for name in names:
                save(tmp_path / "pictures" / part / label / name, rng.integers(0, 256, (6, 6, 3)))
    return tmp_path / "pictures"


def load(folder, **options):
    return data.load("image_folder", data_dir=str(folder), **options)


def test_classes_are_the_folders_in_the_order_of_their_names_and_pixels_stay(folder):
    (folder / "train" / "cat" / "notes.txt").write_text("no picture")
    (folder / "train" / "cat" / "link.png").symlink_to(folder / "train" / "dog" / "a.png")
    train, test = load(folder)
    assert (train.labels.tolist(), test.labels.tolist(), train.num_classes) == ([0, 0, 1, 1], [0, 1], 2)
    for split, part, names in ((train, "train", ("a.png", "b.PNG")), (test, "test", ("c.png",))):
        files = [folder / part / label / name for label in ("cat", "dog") for name in names]
        np.testing.assert_array_equal(split.images, [np.asarray(PIL.Image.open(file)) for file in files])


def test_the_middle_square_is_averaged_over_areas(folder):
    pixels = np.random.default_rng(1).integers(0, 256, (16, 8, 3))
    save(folder / "test" / "cat" / "c.png", pixels)
    found = load(folder, image_size=4).test.images[0]
    means = pixels[4:12].reshape(4, 2, 4, 2, 3).mean(axis=(1, 3))
    # Pillow rounds twice, once for each axis.
    np.testing.assert_allclose(found, means, atol=1)


def test_gray_pictures_have_one_channel_unless_one_is_in_color(folder):
    for file in folder.rglob("*.[pP][nN][gG]"):
        PIL.Image.open(file).convert("L").save(file)
    train, _ = load(folder)
    assert train.images.shape == (4, 6, 6, 1)
    save(folder / "test" / "dog" / "d.png", np.full((6, 6, 3), (200, 0, 0)))
    train, test = load(folder)
    assert train.images.shape == (4, 6, 6, 3)
    assert test.images[-1, 0, 0].tolist() == [200, 0, 0]


def test_what_is_transparent_is_white_and_cameras_say_what_is_up(folder):
    transparent = np.zeros((6, 6, 4))
    transparent[:3, :, 3] = 255
    PIL.Image.fromarray(transparent.astype(np.uint8)).save(folder / "test" / "cat" / "c.png")
    upright = np.zeros((6, 6, 3), np.uint8)
    upright[0] = 255
    turned = PIL.Image.Exif()
    # The camera was turned by 180 degrees.
    turned[0x0112] = 3
    PIL.Image.fromarray(upright[::-1, ::-1]).save(folder / "test" / "dog" / "c.png", exif=turned)
    found = load(folder).test.images
    assert found[0, :3].max() == 0
    assert found[0, 3:].min() == 255
    np.testing.assert_array_equal(found[1], upright)


def test_pictures_are_decoded_once_until_one_changes(folder, cache, monkeypatch, capsys):
    monkeypatch.setattr(decoded, "LEAST_KEPT", 1)
    first = load(folder)
    said = capsys.readouterr().err
    (kept,) = cache.iterdir()
    assert re.fullmatch(rf"image_folder: decodes 6 pictures once, about .* s, 648 bytes; kept in {kept}\n", said)
    with monkeypatch.context() as patched:
        patched.setattr(image_folder, "read_picture", None)
        again = load(folder)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.images, other.images)
    # What a power failure has left of it is made anew.
    kept.write_bytes(kept.read_bytes()[:200])
    np.testing.assert_array_equal(load(folder).train.images, first.train.images)
    file = folder / "train" / "cat" / "a.png"
    save(file, np.full((6, 6, 3), 7))
    os.utime(file, ns=(1, 1))
    assert (load(folder).train.images[0] == 7).all()


def test_without_a_place_to_keep_them_pictures_are_decoded_every_time(folder, cache, monkeypatch):
    monkeypatch.setattr(decoded, "LEAST_KEPT", 1)
    cache.parent.parent.mkdir()
    cache.parent.write_text("a file where the folder should be")
    assert load(folder).train.images.shape == (4, 6, 6, 3)


def spoil(folder, how):
    cat = folder / "train" / "cat"
    match how:
        case "other sizes":
            save(cat / "a.png", np.zeros((8, 9, 3)))
        case "damaged":
            (cat / "a.png").write_bytes((cat / "a.png").read_bytes()[:60])
        case "pointer":
            (cat / "a.png").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
        case "deep":
            PIL.Image.fromarray(np.zeros((6, 6), np.uint16)).save(cat / "a.png")
        case "no test":
            (folder / "test").rename(folder / "val")
        case "empty":
            for file in cat.iterdir():
                file.unlink()
        case "other classes":
            (folder / "test" / "cat").rename(folder / "test" / "cow")
        case "one class":
            for part in ("train", "test"):
                (folder / part / "dog").rename(folder / f"{part}_dog")


@pytest.mark.parametrize(
    ("how", "message"),
    {
        "other sizes": r"expected pictures of one size in .*, got .* to 9 x 8; give --image_size",
        "damaged": r"cat/a\.png: damaged, or (no picture|not a picture for this data set) \(.*\); take it away",
        "pointer": r"cat/a\.png: expected the file itself, got a pointer to it; fetch it with git lfs pull",
        "deep": r"cat/a\.png: damaged, or not a picture .*expected at most eight bits a channel, got mode I;16",
        "no test": r"expected a folder test in .*pictures \(it holds train, val\).*train/CLASS/\*\.jpg",
        "empty": r"expected pictures in .*train/cat \(it ",
        "other classes": r"the same classes in train and test of .*, but only train has cat; only test has cow",
        "one class": r"at least two classes in .*train, got 1",
    }.items(),
)
def test_what_is_wrong_is_said_by_name(folder, how, message):
    spoil(folder, how)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        load(folder)


def test_settings_that_make_no_sense(folder):
    with pytest.raises(ValueError, match=r"expected --data_dir with --dataset=image_folder; its pictures are to be"):
        data.load("image_folder")
    with pytest.raises(ValueError, match=r"expected image_size only with --dataset=image_folder, got 32 with digits"):
        RunConfig(image_size=32).validate()
    with pytest.raises(ValueError, match=r"expected image_size from 4 to 1024, got 2000"):
        load(folder, image_size=2000)


def test_older_runs_keep_their_identity():
    assert "image_size" not in RunConfig().identity()
    assert RunConfig(dataset="image_folder", image_size=32).identity()["image_size"] == 32
