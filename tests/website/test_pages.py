"""What the site's pages are made of."""

import importlib.util
import json
import types

import pytest

from tests.commands import ROOT
from website import gallery, links, notebook, paper, reference
from website.names import packages, public_names, summary

# Loaded only where their library is installed.
OPTIONAL = {"torch", "equinox", "haiku"}


def loaded():
    """(name, package) of all packages that publish names, but for that of PyTorch where it is missing."""
    there = importlib.util.find_spec("torch") is not None
    return [(name, importlib.import_module(name)) for name in packages() if there or name != "memorize_jax.torch"]


def test_every_public_name_has_a_page():
    made = dict(reference.pages())
    assert {"memorize_jax", "memorize_jax.geometry", "memorize_jax.data", "memorize_jax.taps"} <= set(packages())
    for one in (one for package in packages() for one in public_names(package)):
        assert reference.uri(one) in made, one
        assert f"({reference.uri(one).removeprefix('reference/')})" in made["reference/index.md"]
    for package, module in loaded():
        listed = {one.name: one for one in public_names(package)}
        assert list(listed) == list(module.__all__), package
        for name, one in listed.items():
            if name in OPTIONAL or name == "__version__":
                continue
            # What was found in the sources is what Python finds.
            found = getattr(module, name)
            if one.is_module:
                assert found is importlib.import_module(one.path)
            else:
                where, _, attribute = one.path.rpartition(".")
                assert found is getattr(importlib.import_module(where), attribute), one


def test_every_public_function_and_class_says_what_it_is():
    for package, module in loaded():
        for one in public_names(package):
            if one.name in OPTIONAL or not isinstance(getattr(module, one.name), type | types.FunctionType):
                continue
            assert summary(one.path), one


def test_a_name_that_is_nowhere_is_refused():
    with pytest.raises(LookupError, match=r"expected a module of .*, got memorize_jax\.nothing"):
        public_names("memorize_jax.nothing")


def test_links_lead_to_where_files_are_on_the_site():
    text = "[a](math.md#joint) [b](../memorize_jax/geometry/status.py) ![c](report.png) [d](https://a.b/c.md) [e](#f)"
    assert links.outside(text, "docs/figures.md") == ["memorize_jax/geometry/status.py"]
    found = links.rewritten(text, "docs/figures.md", "figures.md")
    assert found == text.replace("../memorize_jax/geometry/status.py", "source/memorize_jax/geometry/status.py.md")
    text = "[a](docs/guides/your-data.md) [b](CONTRIBUTING.md)\n```md\n[c](docs/x.md)\n```\n[d](LICENSE)"
    found = links.rewritten(text, "README.md", "index.md")
    assert found == "[a](guides/your-data.md) [b](contributing.md)\n```md\n[c](docs/x.md)\n```\n[d](source/LICENSE.md)"
    assert links.rewritten("[a](../tutorial/b.ipynb)", "docs/guides/a.md", "guides/a.md") == "[a](../tutorial/b.md)"
    assert links.rewritten("[a](../../README.md)", "docs/guides/a.md", "guides/a.md") == "[a](../index.md)"


def test_comments_of_fields_describe_them():
    comments = pytest.importorskip("website.comments", exc_type=ImportError)
    lines = ["class A:", "    a: int  # how many", "    # of all,", "    # also '#'", '    b: str = "#"', "    c: int"]
    assert comments.comment(lines, 2, 2) == "How many."
    assert comments.comment(lines, 5, 5) == "Of all, also '#'."
    assert comments.comment(lines, 6, 6) == ""


def test_a_notebook_is_its_text_and_its_code(tmp_path):
    cells = [("markdown", ["# Title\n", "Text."]), ("code", ["a = 1\n", "a"])]
    made = {"cells": [{"cell_type": kind, "source": source} for kind, source in cells]}
    (tmp_path / "some.ipynb").write_text(json.dumps(made))
    link = '<a href="some.ipynb" download>The notebook</a>, to open in Jupyter.'
    assert notebook.page(tmp_path / "some.ipynb") == f"# Title\nText.\n\n{link}\n\n```python\na = 1\na\n```\n"


def test_the_gallery_shows_every_study_that_has_pictures():
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    page = gallery.page(text)
    drawn = {path.parent.parent.name for path in (ROOT / "docs" / "results").rglob("*.svg")}
    assert "digits" in drawn
    for study in drawn:
        assert f"## [{study}](results.md#{study})" in page
    assert page.count("![") == text.count("![")
    # What leads within the page of results leads there from here, to a study without pictures too.
    assert "](results.md#vgg16_recipes)" in page
    assert "](#" not in page
    assert "report.html" not in page
    assert '<a href="reports/digits.html">' in gallery.page(text, {"digits"})


def test_the_table_from_the_paper_to_the_code_is_that_of_the_registry():
    assert (ROOT / "docs" / "paper.md").read_text(encoding="utf-8") == paper.page(), "run: python -m website.paper"


def test_what_the_equations_name_is_looked_up():
    assert paper.function("geometry.solve_anchors").__module__ == "memorize_jax.geometry.anchors"
    assert paper.function("JointGeometry.class_capacity").__name__ == "JointGeometry"
    assert paper.function("ManifoldGeometry.summary").__qualname__ == "ManifoldGeometry.summary"
    with pytest.raises(LookupError, match=r"expected a function of memorize_jax, got geometry\.nothing"):
        paper.function("geometry.nothing")
    made = "\n## A\n\n| a | b | function |\n|---|---|---|\n| x | y | `c.d`, `e` |\n| f | – | – |\n"
    assert list(paper.equations(made)) == [("A", [("x", ["c.d"])])]
