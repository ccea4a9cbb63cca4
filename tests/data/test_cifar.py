"""What only CIFAR's archives can be or lack; see test_archives.py."""

import gzip

import pytest

from memorize_jax import data
from memorize_jax.data import cifar
from tests.data.archives import SMALL, refused


@pytest.fixture(params=["cifar10", "cifar100"])
def name(request, monkeypatch):
    SMALL[request.param].shrink(monkeypatch)
    return request.param


def test_the_true_archives_have_50000_and_10000_records():
    for archive in cifar.ARCHIVES.values():
        assert len(archive.train) * archive.records_per_member[0] == 50_000
        assert archive.records_per_member[1] == 10_000


@pytest.mark.parametrize("ending", [".tar.gz", ".tar"])
@pytest.mark.parametrize("compressed", [True, False])
def test_the_ending_does_not_matter(name, ending, compressed, tmp_path):
    packed = SMALL[name].pack(tmp_path / "packed").read_bytes()
    path = tmp_path / SMALL[name].file.replace(".tar.gz", ending)
    path.write_bytes(packed if compressed else gzip.decompress(packed))
    assert len(data.load(name, data_dir=str(tmp_path)).test.labels) == 4


def test_files_that_do_not_fit_are_refused(name, tmp_path):
    small, archive = SMALL[name], cifar.ARCHIVES[name]
    good, first = small.contents, archive.train[0]
    size = 7 * (archive.label_bytes + 3072)

    def refuse(changed, *words):
        refused(name, tmp_path, small.pack(tmp_path, good | changed), *words)

    longer = {first.partition("/")[2]: good[first.partition("/")[2]] + b"\0"}
    refuse(longer, f"expected {first} to be a file of {size} bytes, got a file of {size + 1}")
    refuse({small.last: None}, "got something else of 0")
    refuse({small.last: b"\xff" * len(good[small.last])}, f"below {archive.num_classes}, got 255")
    folder, size = small.unpack(tmp_path / "short", good | {small.last: good[small.last][:-1]}), len(good[small.last])
    refused(name, folder, folder, f"to have {size} bytes, got {size - 1}")
    (tmp_path / small.file).unlink()
    refused(name, tmp_path, "binary version (not the python or Matlab version)", kind=FileNotFoundError)
