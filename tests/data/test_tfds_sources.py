"""TFDS: what happens without it, and the true builders on local files (slow; needs TensorFlow)."""

import gzip
import importlib.util
import shutil

import numpy as np
import pytest

from memorize_jax import data
from memorize_jax.data.mnist import DEBIAN_FOLDER
from tests import commands
from tests.data import test_mnist
from tests.data.archives import SMALL, refused

NEEDED = ("tensorflow_datasets", "tensorflow", "array_record", "importlib_resources")
needs_tensorflow = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDED),
    reason="preparing needs TensorFlow: pip install 'memorize_jax[tfds]'",
)


@pytest.fixture
def without_tfds(monkeypatch):
    """Makes TFDS and TensorFlow look as if they were not installed."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in NEEDED else find_spec(name))


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "mnist", "fashion_mnist"])
def test_without_packages_one_line_says_what_to_do_and_a_prepared_copy_needs_no_tensorflow(
    name, without_tfds, tmp_path
):
    start = f"{name}: no data in {tmp_path}, and to prepare it tensorflow_datasets and array_record"
    words = (start, "pip install 'memorize_jax[tfds]'", "or put")
    # Which does not touch TFDS unless there is a prepared copy.
    words = ("apt-get install dataset-fashion-mnist",) if name == "fashion_mnist" else words
    refused(name, tmp_path, *words, kind=FileNotFoundError)
    (tmp_path / name / "3.0.1").mkdir(parents=True)
    (tmp_path / name / "3.0.1" / "dataset_info.json").write_text("{}")
    refused(name, tmp_path, "to read it tensorflow_datasets and array_record must be", kind=FileNotFoundError)
    if "mnist" in name:
        test_mnist.write_idx(tmp_path / "downloads" / "manual")
        assert data.load(name, data_dir=str(tmp_path)).train.name == name


# --- the true builders

# In a process of its own, because importing TensorFlow warns and takes its time: replaces the checksums the builder
# expects by those of the files in downloads/manual, which are not the originals, and leaves all else to our code.
PREPARE = """
import pathlib, sys
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import checksums
from memorize_jax.data import tfds_sources

name, folder = sys.argv[1:]
true_builder = tfds.builder

def builder(*arguments, **options):
    made = true_builder(*arguments, **options)
    for file in (pathlib.Path(folder) / "downloads" / "manual").iterdir():
        (url,) = [url for url in made.url_infos if url.endswith("/" + file.name)]
        made.url_infos[url] = checksums.compute_url_info(file)
    return made

tfds.builder = builder
tfds_sources.load(name, folder, by_hand="")
"""
READ = """
import sys
from importlib.machinery import PathFinder

find_spec = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name.partition(".")[0] == "tensorflow" else find_spec(name, *rest)
import numpy as np
from memorize_jax import data

name, folder = sys.argv[1:]
splits = data.load(name, data_dir=folder)
np.savez(folder + "/read.npz", *splits.train[:2], *splits.test[:2])
"""


def prepared(name, folder):
    """What our code reads, without TensorFlow, after it prepared the files in downloads/manual with TensorFlow."""
    for script in (PREPARE, READ):
        done = commands.python("-c", script, name, folder)
        assert done.returncode == 0, done.stderr
        # The second step must not find the originals.
        shutil.rmtree(folder / "downloads", ignore_errors=True)
    return list(np.load(folder / "read.npz").values())


def place_small_cifar(name, folder, monkeypatch):
    """Puts a small archive, whole enough for TFDS, into downloads/manual."""
    small = SMALL[name]
    small.shrink(monkeypatch)
    labels = "\n".join(f"class {number}" for number in range(small.num_classes)).encode()
    coarse = "\n".join(f"group {number}" for number in range(20)).encode()
    texts = {"batches.meta.txt": labels, "fine_label_names.txt": labels, "coarse_label_names.txt": coarse}
    small.pack(folder / "downloads" / "manual", small.contents | texts)


def place_idx_files(folder, write):
    manual = folder / "downloads" / "manual"
    manual.mkdir(parents=True)
    for stem in test_mnist.STEMS:
        write(manual / f"{stem}.gz")


@pytest.mark.slow
@needs_tensorflow
@test_mnist.needs_debian
def test_fashion_mnist_through_the_true_builder(tmp_path):
    place_idx_files(tmp_path, lambda path: shutil.copy(f"{DEBIAN_FOLDER}/{path.name}", path))
    train_images, train_labels, test_images, test_labels = prepared("fashion_mnist", tmp_path)
    expected = data.load("fashion_mnist")

    def examples(images, labels):
        # Without ids TFDS's order is its own.
        return sorted(bytes([label]) + image.tobytes() for image, label in zip(images, labels, strict=True))

    assert train_images.shape == (60_000, 28, 28, 1)
    assert examples(train_images, train_labels) == examples(*expected.train[:2])
    assert examples(test_images, test_labels) == examples(*expected.test[:2])


@pytest.mark.slow
@needs_tensorflow
@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_through_the_true_builder_is_what_we_read_from_the_archive(name, tmp_path, monkeypatch):
    place_small_cifar(name, tmp_path, monkeypatch)
    expected = data.load(name, data_dir=str(tmp_path))
    found = prepared(name, tmp_path)
    for one, other in zip(found, [*expected.train[:2], *expected.test[:2]], strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@needs_tensorflow
def test_a_copy_in_the_usual_format_of_tfds_is_refused_in_one_line(tmp_path, monkeypatch):
    place_small_cifar("cifar10", tmp_path, monkeypatch)
    other_format = PREPARE.replace("tfds_sources.load(", 'tfds_sources.FILE_FORMAT = "tfrecord"\ntfds_sources.load(')
    assert "got another format" in commands.python("-c", other_format, "cifar10", tmp_path).stderr
    shutil.rmtree(tmp_path / "downloads")
    line = commands.python("-c", READ, "cifar10", tmp_path).stderr.splitlines()[-1]
    assert line.startswith("ValueError: cifar10: expected a copy prepared as array_record")
    assert line.endswith("which only TensorFlow reads; give another --data_dir")


@pytest.mark.slow
@needs_tensorflow
def test_a_file_with_a_wrong_checksum_is_one_line(tmp_path):
    place_idx_files(tmp_path, lambda path: path.write_bytes(gzip.compress(b"not the original")))
    script = (
        "import sys\nfrom memorize_jax.data import tfds_sources\ntfds_sources.load('mnist', sys.argv[1], by_hand='')"
    )
    done = commands.python("-c", script, tmp_path)
    assert "ValueError: mnist: could not be prepared" in done.stderr.splitlines()[-1]
