import gzip
import pathlib
import struct

import numpy as np
import pytest
from scipy import stats

from memorize_jax import data
from memorize_jax.data.mnist import DEBIAN_FOLDER, read_idx

# --- digits


def test_digits_are_all_there_as_bytes_up_to_16():
    splits = data.load("digits")
    assert len(splits.train.labels) + len(splits.test.labels) == 1797
    for split in splits:
        assert split.images.dtype == np.uint8
        assert split.images.shape == (len(split.labels), 8, 8, 1)
        assert split.images.max() == 16
        assert split.num_classes == 10
        assert split.name == "digits"


def test_digits_have_the_same_split_every_time():
    first, second = data.load("digits"), data.load("digits")
    np.testing.assert_array_equal(first.test.images, second.test.images)
    np.testing.assert_array_equal(first.train.labels, second.train.labels)


def test_digits_have_a_fifth_of_every_class_in_test():
    train, test = (np.bincount(split.labels, minlength=10) for split in data.load("digits"))
    np.testing.assert_array_equal(test, (train + test) // 5)


def test_digits_split_every_image_once():
    from sklearn import datasets

    def sorted_rows(images):
        return sorted(image.astype(np.uint8).tobytes() for image in images)

    train, test = data.load("digits")
    both = sorted_rows(train.images) + sorted_rows(test.images)
    assert sorted(both) == sorted_rows(datasets.load_digits().images)
    assert not set(sorted_rows(train.images)) & set(sorted_rows(test.images))


# --- spheres


def small_spheres(**options):
    return data.make_spheres(
        **{"num_classes": 6, "num_features": 40, "sphere_dimension": 8, "train_per_class": 60, **options}
    )


def true_centers(num_classes, num_features):
    signs = np.where(np.arange(num_classes) % 2 == 0, 1.0, -1.0)
    return signs[:, None] * np.eye(num_features)[np.arange(num_classes) // 2]


@pytest.mark.parametrize("span", ["with_center", "random"])
def test_points_are_at_the_radius_from_their_centre(span):
    centers = true_centers(6, 40)
    for split in small_spheres(radius=5.0, span=span):
        distance = np.linalg.norm(split.images - centers[split.labels], axis=1)
        np.testing.assert_allclose(distance, 5.0, rtol=1e-5)


def test_centres_are_antipodal_pairs_orthogonal_to_all_others():
    # With so many points the mean of a class is its centre.
    train = small_spheres(radius=1.0, train_per_class=20000).train
    means = np.stack([train.images[train.labels == label].mean(axis=0) for label in range(6)])
    expected = np.kron(np.eye(3), [[1, -1], [-1, 1]])
    np.testing.assert_allclose(means @ means.T, expected, atol=0.02)


def test_each_sphere_spans_its_dimension():
    train = small_spheres().train
    for label, center in enumerate(true_centers(6, 40)):
        offsets = train.images[train.labels == label] - center
        assert np.linalg.matrix_rank(offsets, tol=1e-3) == 8


def accuracy_on_the_shared_axis(span):
    train = data.make_spheres(
        num_classes=2, num_features=1024, sphere_dimension=30, radius=5.0, train_per_class=5000, span=span
    ).train
    return np.mean((train.images[:, 0] > 0) == (train.labels == 0))


def test_the_shared_axis_separates_a_pair_only_partly():
    # A coordinate u of a uniform point on the unit sphere in d dimensions: u^2 ~ Beta(1/2, (d-1)/2); right if 5u > -1.
    expected = 0.5 + 0.5 * stats.beta.cdf(1 / 25, 0.5, 29 / 2)
    assert expected == pytest.approx(0.86, abs=0.005)
    assert accuracy_on_the_shared_axis("with_center") == pytest.approx(expected, abs=0.015)


def test_with_random_directions_the_shared_axis_separates_a_pair():
    assert accuracy_on_the_shared_axis("random") > 0.9999


def test_spheres_are_the_same_for_a_seed():
    first, again, other = small_spheres(seed=1), small_spheres(seed=1), small_spheres(seed=2)
    np.testing.assert_array_equal(first.train.images, again.train.images)
    assert np.any(first.train.images != other.train.images)


def test_spheres_have_the_asked_sizes_in_order_of_class():
    splits = small_spheres(train_per_class=5, test_per_class=3)
    np.testing.assert_array_equal(splits.train.labels, np.repeat(np.arange(6), 5))
    np.testing.assert_array_equal(splits.test.labels, np.repeat(np.arange(6), 3))
    assert splits.train.images.shape == (30, 40)
    assert splits.train.images.dtype == np.float32


def test_training_and_test_points_of_a_sphere_differ():
    splits = small_spheres()
    assert not {row.tobytes() for row in splits.train.images} & {row.tobytes() for row in splits.test.images}


def test_the_small_set_is_of_the_stated_size():
    splits = data.load("spheres_small")
    assert splits.train.images.shape == (20 * 200, 128)
    assert splits.test.images.shape == (20 * 50, 128)
    assert splits.train.num_classes == 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 5}, r"expected an even number of classes .*, got 5"),
        ({"num_classes": 0}, r"expected an even number of classes .*, got 0"),
        ({"span": "around"}, "expected span to be 'with_center' or 'random', got 'around'"),
        ({"num_features": 7}, "expected at least 8 features for 6 classes and 8 dimensions, got 7"),
        ({"num_classes": 100}, "expected at least 50 features for 100 classes"),
    ],
)
def test_impossible_spheres_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        small_spheres(**options)


# --- Fashion-MNIST

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
LABELS = np.array([9, 0, 4, 4, 1], np.uint8)
STEMS = {
    "train-images-idx3-ubyte": IMAGES,
    "train-labels-idx1-ubyte": LABELS,
    "t10k-images-idx3-ubyte": IMAGES[:3],
    "t10k-labels-idx1-ubyte": LABELS[:3],
}


def idx(array):
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_files(folder, *, compressed, **replaced):
    for stem, array in STEMS.items():
        content = replaced.get(stem.partition("-ubyte")[0].replace("-", "_"), idx(array))
        if compressed:
            (folder / f"{stem}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / stem).write_bytes(content)
    return str(folder)


@pytest.mark.parametrize("compressed", [True, False])
def test_idx_files_are_read_compressed_or_not(tmp_path, compressed):
    splits = data.load("fashion_mnist", data_dir=write_files(tmp_path, compressed=compressed))
    np.testing.assert_array_equal(splits.train.images, IMAGES[..., None])
    np.testing.assert_array_equal(splits.train.labels, LABELS)
    np.testing.assert_array_equal(splits.test.images, IMAGES[:3, ..., None])
    np.testing.assert_array_equal(splits.test.labels, LABELS[:3])
    assert splits.train.images.dtype == np.uint8
    assert splits.train.labels.dtype == np.int32


def test_a_missing_file_names_the_folder_and_how_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="apt-get install dataset-fashion-mnist") as error:
        data.load("fashion_mnist", data_dir=str(tmp_path))
    assert str(tmp_path) in str(error.value)
    assert "train-images-idx3-ubyte" in str(error.value)


def test_one_missing_file_is_enough(tmp_path):
    write_files(tmp_path, compressed=True)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match="t10k-labels-idx1-ubyte"):
        data.load("fashion_mnist", data_dir=str(tmp_path))


@pytest.mark.parametrize("kept", [0, 2, 4, 9, 16, -1])
def test_a_truncated_file_is_named(tmp_path, kept):
    path = tmp_path / "images"
    path.write_bytes(idx(IMAGES)[:kept])
    with pytest.raises(ValueError, match="expected") as error:
        read_idx(path)
    assert str(path) in str(error.value)


def test_a_file_that_is_too_long_is_named(tmp_path):
    path = tmp_path / "images"
    path.write_bytes(idx(IMAGES) + b"\0")
    with pytest.raises(ValueError, match=f"{path}: expected 3920 bytes after the header, got 3921"):
        read_idx(path)


@pytest.mark.parametrize("header", [b"\x89PNG", b"\0\0\x0d\x01", b"\x01\0\x08\x01"])
def test_a_wrong_header_is_named(tmp_path, header):
    path = tmp_path / "images"
    path.write_bytes(header + idx(LABELS)[4:])
    with pytest.raises(ValueError, match="expected an idx file of unsigned bytes, got header") as error:
        read_idx(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("damage", ["not gzip", "cut", "flipped header", "flipped body", "flipped checksum"])
def test_a_damaged_gzip_file_is_named(tmp_path, damage):
    path = tmp_path / "images.gz"
    good = gzip.compress(idx(IMAGES // 64))

    def flipped(position):
        return good[:position] + bytes([good[position] ^ 0xFF]) + good[position + 1 :]

    path.write_bytes(
        {
            "not gzip": idx(IMAGES),
            "cut": good[: len(good) // 2],
            "flipped header": flipped(10),
            "flipped body": flipped(len(good) // 2),
            "flipped checksum": flipped(len(good) - 8),
        }[damage]
    )
    with pytest.raises(ValueError, match="damaged gzip file") as error:
        read_idx(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("labels", [LABELS[:4], np.array([9, 0, 4, 4, 10], np.uint8), IMAGES])
def test_images_and_labels_that_do_not_belong_together_are_refused(tmp_path, labels):
    folder = write_files(tmp_path, compressed=False, train_labels_idx1=idx(labels))
    with pytest.raises(ValueError, match="of train do not belong together") as error:
        data.load("fashion_mnist", data_dir=folder)
    assert folder in str(error.value)


@pytest.mark.skipif(not pathlib.Path(DEBIAN_FOLDER).is_dir(), reason="Debian's dataset-fashion-mnist not installed")
def test_the_real_set_has_6000_training_images_of_each_class():
    train, test = data.load("fashion_mnist")
    assert train.images.shape == (60000, 28, 28, 1)
    assert test.images.shape == (10000, 28, 28, 1)
    np.testing.assert_array_equal(np.bincount(train.labels), np.full(10, 6000))
    np.testing.assert_array_equal(np.bincount(test.labels), np.full(10, 1000))


# --- the registry


def test_an_unknown_name_lists_the_valid_ones():
    with pytest.raises(
        ValueError, match=f"one of {', '.join(sorted(data.LOADERS))}, or MODULE:NAME of your own, got 'cifar'"
    ):
        data.load("cifar")


def test_every_listed_name_is_valid():
    for name in data.LOADERS:
        data.check_name(name)
