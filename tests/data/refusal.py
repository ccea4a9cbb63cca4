"""What a data set that is refused must say."""

import pytest

from memorize_jax import data
from memorize_jax.data.downloads import POINTER

POINTER_FILE = POINTER + b".github.com/spec/v1\noid sha256:00\nsize 5\n"


def refused(name, data_dir, *words, kind=ValueError):
    """One line with the words, raised as a kind of error."""
    with pytest.raises(kind) as error:
        data.load(name, data_dir=str(data_dir))
    for word in words:
        assert str(word) in str(error.value)
    assert "\n" not in str(error.value)
