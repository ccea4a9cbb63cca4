import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from memorize_jax.figures.style import drawn, subplots
from memorize_jax.pages.raster import ADDRESS, smaller
from memorize_jax.pages.svg import compact
from memorize_jax.pages.svg_paths import relative

STEP = re.compile(r"([mlqcz])|(-?(?:\d+\.?\d*|\.\d+))")


def points(path):
    """Where the points of a relative path are, summed up as a browser does."""
    here, start, found, numbers = np.zeros(2), np.zeros(2), [], []
    command = ""
    for letter, number in STEP.findall(path):
        if letter == "z":
            here, command = start, ""
        elif letter:
            command = letter
        else:
            numbers.append(float(number))
            if len(numbers) == {"m": 2, "l": 2, "q": 4, "c": 6}[command]:
                steps = np.reshape(numbers, (-1, 2)) + here
                found += list(steps)
                here, numbers = steps[-1], []
                if command == "m":
                    start, command = here, "l"
    return np.array(found)


@pytest.mark.parametrize("seed", range(5))
def test_steps_lead_where_the_path_led_without_adding_up_what_was_rounded(seed):
    rng = np.random.default_rng(seed)
    wanted, words = [], []
    for command in ("M", *rng.choice(["L", "Q", "C", "L"], 200), "z", "M", "L"):
        own = rng.uniform(-500, 500, {"M": 2, "L": 2, "Q": 4, "C": 6, "z": 0}[command])
        words += [command, *map(repr, own.tolist())]
        wanted.extend(own.reshape(-1, 2))
    np.testing.assert_allclose(points(relative(" ".join(words))), wanted, atol=0.00501)


def test_other_commands_stay():
    assert relative("M 0 0 A 1 1 0 0 1 2 2") == "M 0 0 A 1 1 0 0 1 2 2"


@drawn()
def picture(values):
    figure, axis = subplots(figsize=(4, 3))
    axis.plot(values, marker="o", label="a & b <c>")
    axis.fill_between(range(len(values)), values, alpha=0.2)
    axis.pcolormesh(np.outer(values, values), rasterized=True)
    axis.set_title('5 % "of" #1')
    axis.legend()
    return figure


def test_a_compact_drawing_is_the_same_picture_and_less_than_half_as_long(tmp_path):
    vl_convert = pytest.importorskip("vl_convert")
    path = picture(np.sin(np.arange(30.0)), tmp_path / "one.svg")
    whole, short = path.read_text(encoding="utf-8"), compact(path.read_text(encoding="utf-8"))
    assert len(short) < len(whole) / 2
    one, other = (
        np.asarray(Image.open(io.BytesIO(vl_convert.svg_to_png(text))).convert("RGB"), int) for text in (whole, short)
    )
    assert one.shape == other.shape
    # Edges of letters may move by a hundredth of a point.
    assert (np.abs(one - other).max(-1) > 60).mean() < 1e-3
    root = ElementTree.fromstring(short)
    names = {node.get("id") for node in root.iter()} - {None}
    links = {value[1:] for node in root.iter() if (value := node.get("href", "")).startswith("#")}
    assert links <= names
    assert set(re.findall(r"url\(#(\w+)\)", short)) <= names


def test_a_picture_with_a_palette_is_no_longer_and_nearly_the_same():
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 40, (64, 64, 4), dtype=np.uint8) // 10 * 60)
    file = io.BytesIO()
    image.save(file, "PNG")
    address = ADDRESS + base64.b64encode(file.getvalue()).decode()
    found = smaller(address)
    assert len(found) <= len(address)
    assert smaller("data:other") == "data:other"
