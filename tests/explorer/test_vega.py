"""The scripts of a page: bundled once, then read."""

import platformdirs
import pytest

from memorize_jax.explorer import vega

vl_convert = pytest.importorskip("vl_convert")


@pytest.fixture
def bundled(tmp_path, monkeypatch):
    """How often scripts were bundled, and where they are kept."""
    calls = []
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda call, **of: calls.append(of) or f"{call} // é {of}")
    return calls, tmp_path / "cache"


def scripts():
    vega.scripts.cache_clear()
    return vega.scripts()


@pytest.fixture(autouse=True)
def _forget():
    yield
    vega.scripts.cache_clear()


def test_scripts_are_bundled_once_for_each_version(bundled, monkeypatch):
    calls, folder = bundled
    first = scripts()
    assert first.startswith("window.vegaEmbed = vegaEmbed;")
    assert scripts() == first
    assert len(calls) == 1
    monkeypatch.setattr(vega.importlib.metadata, "version", lambda package: "0")
    assert scripts() == first
    assert len(calls) == 2
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 2


def test_a_damaged_file_is_made_anew(bundled):
    calls, folder = bundled
    first = scripts()
    (kept,) = (path for path in folder.rglob("*") if path.is_file())
    whole = kept.read_bytes()
    for content in (b"", whole[: len(whole) // 2], whole[:-1] + bytes([whole[-1] ^ 1])):
        kept.write_bytes(content)
        assert scripts() == first
        assert kept.read_bytes() == whole
    assert len(calls) == 4


def test_where_nothing_can_be_kept_scripts_are_bundled(bundled):
    calls, folder = bundled
    folder.write_text("in the way")
    assert scripts() == scripts()
    assert len(calls) == 2
