"""Several studies side by side on one page."""

import re

import pytest

from memorize_jax.measurements.registry import figures
from memorize_jax.report import comparison_page as page
from tests.figures.invented import RUN, bounds, changed

# Of the tables that most of the main figures need: others take longer to draw.
ONE = changed(RUN, **dict.fromkeys(set(RUN.tables) - {"metrics", "geometry"}))
OTHER = changed(ONE, geometry=bounds(ONE.tables["geometry"], layer="linear2"))
BOUNDS = "Some are joint capacities known only as upper bounds ({}): the layer has too few dimensions for its points."


def page_of(**studies):
    return page.comparison_page([page.Compared(name, study, []) for name, study in studies.items()])


def measured(study, **settings):
    return study._replace(settings={"geometry": {"": settings}})


def captions(html, name):
    """What stands under a figure of each study, in their order."""
    _, _, rest = html.partition(f"<h3>{figures()[name].title}</h3>")
    cells = re.findall(r"<figure>.*?</figure>", rest.partition("<h3>")[0], re.DOTALL)
    return [" ".join(re.findall(r'<p class="note">(.*?)</p>', cell, re.DOTALL)) for cell in cells]


def test_a_figure_has_the_remark_of_each_study(monkeypatch):
    monkeypatch.setattr(page, "MAIN", ("fig2a", "map_joint_capacity"))
    html = page_of(one=ONE, other=OTHER, without=changed(ONE, geometry=None))
    first, second, third = captions(html, "map_joint_capacity")
    assert first.endswith(BOUNDS.format("linear6"))
    assert second.endswith(BOUNDS.format("linear2"))
    assert third == "not measured"
    # There is nothing to remark of accuracies.
    assert captions(html, "fig2a") == ["", "", ""]


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        (ONE, OTHER, ""),
        (measured(ONE, kappa=0), OTHER, ""),
        (measured(ONE, kappa=0), measured(OTHER, kappa=0), ""),
        (
            measured(ONE, kappa=0),
            measured(OTHER, kappa=1),
            "the geometry of b was measured with other settings than that of a: kappa=1 (there: 0)",
        ),
    ],
)
def test_studies_that_were_measured_otherwise_share_no_moving_picture(one, other, reason, monkeypatch):
    monkeypatch.setattr(page, "MAIN", ())
    html = page_of(a=one, b=other)
    assert ('id="moving"' in html) == (not reason)
    assert ("No moving picture has these studies side by side" in html) == bool(reason)
    assert reason in html
