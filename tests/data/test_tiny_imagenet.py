"""What only Tiny ImageNet's files can be or lack; see test_archives.py."""

import numpy as np
import pytest

from memorize_jax import data
from memorize_jax.data import decoded, tiny_imagenet
from tests.data.archives import SMALL, picture, refused

TINY = SMALL["tiny_imagenet"]
IMAGE, LIST, ROWS = "train/n01443537/images/n01443537_1.JPEG", "wnids.txt", "val/val_annotations.txt"
JPEG, ANNOTATIONS = TINY.contents[IMAGE], TINY.contents[ROWS]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    TINY.shrink(monkeypatch)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (LIST, b"n01443537\nn02124075", "expected 3 WordNet ids like n01443537 in wnids.txt, got 2"),
        (LIST, b"n01443537\nn02124075\n../../etc", "got 3 with '../../etc'"),
        (LIST, b"\xff\xfe", "expected 3 WordNet ids like n01443537 in wnids.txt, got 1 with"),
        (ROWS, ANNOTATIONS.replace(b"val_2", b"../../val_2"), "val_annotations.txt"),
        (ROWS, ANNOTATIONS.replace(b"n03444034", b"n99999999"), "val_annotations.txt"),
        (ROWS, ANNOTATIONS.partition(b"\n")[2], "got 3 images of 2 classes"),
        (IMAGE, b"no image", "expected a JPEG image"),
        (IMAGE, b"", "got 0 bytes that are none"),
        (IMAGE, JPEG[:30], "that are none, or not all of one"),
        (IMAGE, JPEG[:400], "expected a JPEG image"),
        (IMAGE, JPEG[:-3], "that are none, or not all of one"),
        (IMAGE, picture(0, kind="PNG")[0], r"they start with b'\x89PNG"),
        (IMAGE, picture(0, side=65)[0], "expected 64 x 64 pixels, got 65 x 65"),
        # The header of an image of four thousand million pixels.
        (IMAGE, JPEG.replace(b"\x08\0\x40\0\x40", b"\x08\xff\xff\xff\xff"), "expected a JPEG image"),
        (IMAGE, bytes(5 << 20), "expected at most 4194304 bytes, got 5242880"),
    ],
)
def test_what_is_wrong_is_named_by_its_path_in_the_data_set(packed, name, content, words, tmp_path):
    path = (TINY.pack if packed else TINY.unpack)(tmp_path, TINY.contents | {name: content})
    refused("tiny_imagenet", tmp_path, path, IMAGE if name == IMAGE else "", words)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("name", [LIST, ROWS, IMAGE])
def test_a_missing_file_is_named(packed, name, tmp_path):
    rest = {file: content for file, content in TINY.contents.items() if file != name} | {"wnids": b""}
    place = (TINY.pack if packed else TINY.unpack)(tmp_path, rest)
    refused("tiny_imagenet", place, name, "http://cs231n.stanford.edu", "again", kind=FileNotFoundError)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    path = TINY.unpack(tmp_path / "data")
    (path / IMAGE).rename(tmp_path / "secret.JPEG")
    (path / IMAGE).symlink_to(tmp_path / "secret.JPEG")
    refused("tiny_imagenet", path, "expected a file inside")


@pytest.mark.parametrize("packed", [True, False])
def test_the_small_one_is_its_first_classes_averaged_over_areas(packed, tmp_path, monkeypatch):
    monkeypatch.setattr(decoded.platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    monkeypatch.setattr(decoded, "LEAST_KEPT", 1)
    monkeypatch.setattr(tiny_imagenet, "SMALL_CLASSES", 2)
    place = tmp_path / "data"
    (TINY.pack if packed else TINY.unpack)(place)
    whole = data.load("tiny_imagenet", data_dir=str(place))
    for _ in ("decoded", "kept"):
        for large, small in zip(whole, data.load("tiny_imagenet_32", data_dir=str(place)), strict=True):
            kept = large.labels < 2
            np.testing.assert_array_equal(small.labels, large.labels[kept])
            assert (small.num_classes, small.images.dtype) == (2, np.uint8)
            means = large.images[kept].reshape(-1, 32, 2, 32, 2, 3).mean(axis=(2, 4))
            # Pillow rounds twice, once for each axis.
            np.testing.assert_allclose(small.images, means, atol=1)
