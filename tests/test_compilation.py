import jax
import jax.numpy as jnp
import platformdirs
import pytest
from jax.experimental.compilation_cache import compilation_cache

from memorize_jax import compilation
from memorize_jax.compilation import default_folder, kept_compiled

SETTINGS = (
    "jax_compilation_cache_dir",
    "jax_compilation_cache_max_size",
    "jax_enable_compilation_cache",
    "jax_persistent_cache_min_compile_time_secs",
)


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch, tmp_path):
    """As a user begins who has configured nothing, with a cache directory of his own."""
    before = {name: getattr(jax.config, name) for name in SETTINGS}
    for name in ("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "JAX_COMPILATION_CACHE_MAX_SIZE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    monkeypatch.setattr(compilation, "LEAST_SECONDS", 0.0)
    jax.config.update("jax_compilation_cache_dir", None)
    jax.config.update("jax_compilation_cache_max_size", -1)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 1.0)
    compilation_cache.reset_cache()
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def compile_something():
    """Compiles a program that no other test has."""
    return jax.jit(lambda x: jnp.cos(x) * 0.123)(jnp.arange(7.0))


def kept():
    return [path for path in default_folder().iterdir() if path.name.endswith("-cache")]


def test_what_is_compiled_is_kept_and_said_once(capsys):
    with kept_compiled():
        first = compile_something()
    assert len(kept()) >= 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(default_folder()) in said
    assert "JAX_COMPILATION_CACHE_DIR" in said
    jax.clear_caches()
    times = {path: path.stat().st_mtime_ns for path in kept()}
    with kept_compiled():
        second = compile_something()
    assert (first == second).all()
    assert {path: path.stat().st_mtime_ns for path in kept()} == times
    assert capsys.readouterr().err == ""


def test_afterward_jax_is_as_it_was():
    before = {name: getattr(jax.config, name) for name in SETTINGS}
    with kept_compiled():
        assert jax.config.jax_compilation_cache_dir == str(default_folder())
        with kept_compiled():
            assert jax.config.jax_compilation_cache_dir == str(default_folder())
        assert jax.config.jax_compilation_cache_dir == str(default_folder())
    assert {name: getattr(jax.config, name) for name in SETTINGS} == before
    jax.clear_caches()
    num = len(kept())
    compile_something()
    assert len(kept()) == num


def test_the_user_decides(tmp_path, monkeypatch):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "own"))
    with kept_compiled():
        assert jax.config.jax_compilation_cache_dir == str(tmp_path / "own")
        assert jax.config.jax_persistent_cache_min_compile_time_secs == 1.0
    jax.config.update("jax_compilation_cache_dir", None)
    jax.config.update("jax_enable_compilation_cache", False)
    with kept_compiled():
        assert jax.config.jax_compilation_cache_dir is None
    jax.config.update("jax_enable_compilation_cache", True)
    assert not default_folder().exists()
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "3")
    with kept_compiled():
        assert jax.config.jax_persistent_cache_min_compile_time_secs == 1.0


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path):
    (tmp_path / "cache").write_text("in the way")
    with kept_compiled():
        assert jax.config.jax_compilation_cache_dir is None
        compile_something()


def test_a_damaged_file_is_compiled_anew():
    with kept_compiled():
        first = compile_something()
    for path in kept():
        path.write_bytes(b"damaged")
    jax.clear_caches()
    with kept_compiled(), pytest.warns(UserWarning, match="persistent compilation cache"):
        second = compile_something()
    assert (first == second).all()
