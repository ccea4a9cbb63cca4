"""Growth by slopes, and what is derived from it."""

import pytest

from benchmarks import growth, imagenet
from benchmarks.clock import Timing
from benchmarks.growth import Growth


def test_a_power_law_gives_its_exponent(monkeypatch):
    made = []

    def timed(calls, *, repeats):
        ((name, call),) = calls.items()
        cpu = call()
        return {name: (Timing(0, 0, cpu, 0), None)}

    monkeypatch.setattr(growth, "time_together", timed)
    call_of = lambda P, M: made.append((P, M)) or (lambda: 0.5 * P**1.5 * M)
    found = growth.measure("a part", "P", call_of, {"P": 7, "M": 2}, (4, 8, 16))
    assert made == [(4, 2), (8, 2), (16, 2)]
    assert found.at(6) == pytest.approx(0.5 * 6**1.5 * 2)
    assert (found.slope, found.base, found.at(64)) == (pytest.approx(1.5), {"M": 2}, pytest.approx(512))


def of_part(part, size, base, values, exponent):
    seconds = tuple(2.0 * (value / base.get(size, values[0])) ** exponent for value in values)
    others = {name: number for name, number in base.items() if name != size}
    return Growth(part, size, others, values, seconds, exponent)


@pytest.fixture
def growths():
    by_size = {"P": 1, "M": 2, "N": 0.5, "draws": 1, "layers": 1}
    found = [
        of_part("mean-field geometry", size, growth.MEAN_FIELD, growth.MEAN_FIELD_STEPS[size], power)
        for size, power in by_size.items()
    ]
    found.append(of_part("search among more than 256", "P", {}, (250, 500), 2.0))
    found += [of_part("joint geometry", size, growth.JOINT, growth.JOINT_STEPS[size], 1) for size in growth.JOINT_STEPS]
    return [*found, of_part("storing an epoch", "parameters", {}, (2**10, 2**12), 1)]


def test_sizes_multiply(growths):
    seconds = imagenet.imagenet_seconds(growths)
    assert seconds["search for shared directions"] == pytest.approx(50 * 2 * 4**2)
    base, asked = growth.MEAN_FIELD, imagenet.IMAGENET
    ratios = {name: asked[name] / base[name] for name in ("P", "M", "N", "draws")}
    expected = 2 * ratios["P"] * ratios["M"] ** 2 * ratios["N"] ** 0.5 * ratios["draws"]
    assert seconds["mean-field geometry"] == pytest.approx(50 * expected)
    assert seconds["joint geometry"] == pytest.approx(50 * 2 * (1000 / 20))


def test_every_part_says_what_happens_when_it_can_no_more(growths):
    text = imagenet.imagenet_section(growths)
    for named in ("check_fits", "GeometryAccumulator", "many_centers", "--keep=log", "RESOURCE_EXHAUSTED", "process 0"):
        assert named in text
    # 25.6 million float32 numbers, a thousand times; 50,000 examples of 2,048 numbers in 50 layers.
    assert "102 GB" in text
    assert "20.5 GB of disk" in text
