"""The look of all figures is ours alone: names are text, a reader's own matplotlib is left as it is."""

from xml.etree import ElementTree

import pytest

from memorize_jax.measurements import registry
from memorize_jax.measurements.geometry.figures import draw_geometry
from tests.commands import python
from tests.figures import invented
from tests.figures.invented import RUN
from tests.figures.seen import texts

AT_BEST = RUN.tables["geometry"].query("epoch == 2")


def test_a_name_is_shown_as_it_is_and_formulas_as_formulas(gallery, tmp_path):
    names = ("a$\\frac{$", "b_1$x$y", "$$", "^_\\$", "ü<&>", "%", "#")
    names = dict(zip(AT_BEST["layer"].unique(), names, strict=True))
    draw_geometry(AT_BEST.assign(layer=AT_BEST["layer"].map(names)), tmp_path / "names.svg")
    ElementTree.parse(tmp_path / "names.svg")
    read = {text.get_text(): text.get_parse_math() for text in texts(gallery.saved[-1])}
    assert [read[name] for name in list(names.values())[:3]] == [False] * 3
    assert set(names.values()) <= set(read)
    assert read["radius $R$ (center distances)"]


READERS_OWN = """
import os, pathlib, pickle, sys
if sys.argv[3] == "first":
    os.environ.pop("MPLBACKEND")
    import matplotlib
    matplotlib.rcParams["text.usetex"] = True
    matplotlib.rcParams["font.size"] = 33
from memorize_jax.measurements.geometry.figures import draw_geometry
import matplotlib
def settings():
    # Looking at the backend in the usual way would choose one.
    return {name: dict.__getitem__(matplotlib.rcParams, name) for name in matplotlib.rcParams}

before = settings()
draw_geometry(pickle.loads(pathlib.Path(sys.argv[1]).read_bytes()), pathlib.Path(sys.argv[2]))
assert settings() == before
assert "matplotlib.pyplot" not in sys.modules
print(os.environ.get("MPLBACKEND"), dict.__getitem__(matplotlib.rcParams, "backend"))
"""


@pytest.mark.parametrize(
    ("backend", "order", "left"),
    [("no_such", "ours", "no_such <object"), ("svg", "ours", "svg svg"), ("svg", "first", "None <object")],
)
def test_the_readers_matplotlib_is_left_as_it_is(tmp_path, backend, order, left):
    draw_geometry(AT_BEST, tmp_path / "usual.svg")
    AT_BEST.to_pickle(tmp_path / "table.pickle")
    paths = (tmp_path / "table.pickle", tmp_path / "there.svg")
    there = python("-c", READERS_OWN, *paths, order, MPLBACKEND=backend)
    assert there.returncode == 0, there.stderr
    assert there.stdout.startswith(left)
    assert (tmp_path / "there.svg").read_bytes() == (tmp_path / "usual.svg").read_bytes()


@pytest.mark.parametrize("name", ["fig3a", "fig5a"])
def test_the_same_tables_give_the_same_bytes(name, tmp_path):
    figure, base = registry.figures()[name], invented.RUN
    first, second = (figure.draw(base, tmp_path / file).read_bytes() for file in ("one.svg", "two.svg"))
    assert first == second
