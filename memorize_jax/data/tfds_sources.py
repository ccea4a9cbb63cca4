"""Sole owner of tensorflow_datasets: reads prepared sets without TensorFlow, prepares them with it, once."""

# TensorFlow and TFDS are an extra, which need not be installed where types are checked.
# pyright: reportMissingImports=false, reportMissingModuleSource=false

import importlib.util

import numpy as np

from memorize_jax.data.downloads import data_folder
from memorize_jax.data.splits import Split, Splits, check_split

NUM_CLASSES = {"cifar10": 10, "cifar100": 100, "fashion_mnist": 10, "mnist": 10}
# TFDS prepares other formats too, but only these can be read without TensorFlow.
FILE_FORMAT = "array_record"
READING = ("tensorflow_datasets", "array_record")
PREPARING = ("tensorflow", "importlib_resources")
INSTALL = "pip install 'memorize_jax[tfds]'"


def is_prepared(name: str, data_dir: str | None) -> bool:
    """Tells whether the data folder holds a copy of a data set that TFDS prepared."""
    return any((data_folder(data_dir) / name).glob("*/dataset_info.json"))


def load(name: str, data_dir: str | None, *, by_hand: str) -> Splits:
    """Loads a data set by TFDS, which downloads and prepares it if it is not there.

    Preparing needs TensorFlow and, unless the original files are in downloads/manual of the data folder, the network.
    Reading needs neither. Examples are in the order of their ids; sets without ids (mnist, fashion_mnist) are in the
    order TFDS shuffled them to, the same for every copy of one version. `by_hand` is what a person without TFDS can
    do, for the error message.
    """
    folder = data_folder(data_dir)
    prepared = is_prepared(name, data_dir)
    needed = READING if prepared else READING + PREPARING
    missing = [package for package in needed if importlib.util.find_spec(package) is None]
    if missing:
        there, verb = ("a prepared copy", "read") if prepared else ("no data", "prepare")
        needs = f"to {verb} it {' and '.join(missing)} must be installed ({INSTALL})"
        raise FileNotFoundError(f"{name}: {there} in {folder}, and {needs}; or {by_hand}")
    import tensorflow_datasets as tfds

    # A prepared copy has its format already, and TFDS refuses to be told another.
    builder = tfds.builder(name, data_dir=folder, file_format=None if prepared else FILE_FORMAT)
    if not builder.is_prepared():
        _prepare(builder, folder, by_hand)
    return Splits(_read(builder, "train"), _read(builder, "test"))


def _prepare(builder, folder, by_hand):
    import tensorflow as tf
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError
    from tensorflow_datasets.core.download.extractor import ExtractError

    # TensorFlow would take the whole memory of the accelerator to write files.
    tf.config.set_visible_devices([], "GPU")
    # From the original files: the bucket holds sets in TensorFlow's own format.
    config = tfds.download.DownloadConfig(try_download_gcs=False)
    try:
        builder.download_and_prepare(file_format=FILE_FORMAT, download_config=config)
    except (OSError, tfds.download.DownloadError, NonMatchingChecksumError, ExtractError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{builder.name}: could not be prepared in {folder} ({reason}); or {by_hand}") from error


def _read(builder, split):
    try:
        records = list(builder.as_data_source(split))
    except NotImplementedError as error:
        expected = f"a copy prepared as {FILE_FORMAT} in {builder.data_path}"
        got = "another format, which only TensorFlow reads; give another --data_dir"
        raise ValueError(f"{builder.name}: expected {expected}, got {got}") from error
    if "id" in builder.info.features:
        records.sort(key=lambda record: record["id"])
    images = np.stack([record["image"] for record in records])
    labels = np.array([record["label"] for record in records], np.int32)
    return check_split(Split(images, labels, NUM_CLASSES[builder.name], builder.name), split, str(builder.data_path))
