import pytest

from memorize_jax import memory


def test_what_fits_is_let_through_and_what_does_not_is_refused_with_both_numbers(monkeypatch):
    assert 0 < memory.available_bytes() <= memory.psutil.virtual_memory().total
    monkeypatch.setattr(memory, "available_bytes", lambda: 2 * 10**9)
    memory.check_fits("300 draws", 10**9, "lower --num_draws")
    with pytest.raises(ValueError, match=r"^300 draws would take 3 GB of memory, 2 GB are available; lower"):
        memory.check_fits("300 draws", 3 * 10**9, "lower --num_draws")
    assert [memory.readable(count) for count in (12, 1500, 2.5e12)] == ["12 bytes", "1.5 kB", "2.5 TB"]
