"""What is said under the moving picture is true of what it shows."""

import html
import re

import pytest

from memorize_jax.report.drawn import Picture
from memorize_jax.report.study_page import study_page
from tests.figures.invented import RUN, THREE, bounds, changed, geometry, metrics

MEMORIZES = "the network has separated examples with shuffled labels: there it memorizes."
DASHED = "A dashed line is the least that a capacity can be."
BOUNDS = "A “<” marks joint capacities that are known only as upper bounds."
OUTPUT = "The output layer is left out"
ALL = {MEMORIZES, DASHED, BOUNDS, OUTPUT}
TABLE = RUN.tables["geometry"]


def caption(study):
    shown = changed(study, **dict.fromkeys(set(study.tables) - {"metrics", "geometry", "collapse"}))
    page = study_page(shown, [], [], picture=lambda figure, study: Picture("", False))
    (found,) = re.findall(r'<figcaption><span class="on-screen scripted" hidden>(.*?)</figcaption>', page, re.DOTALL)
    return " ".join(html.unescape(re.sub("<[^>]+>", "", found)).split())


def of_one_layer():
    rows = TABLE[TABLE["layer"].isin(["input", "linear6"])].assign(joint_status=0)
    return changed(RUN, geometry=rows)._replace(layers=("linear6",))


def without_permuted_labels():
    rows = geometry("mlp", groups=("unpermuted", "test"))
    tables = {"metrics": metrics(permuted=False), "geometry": rows, "collapse": None}
    return changed(RUN, **tables)._replace(permuted_fraction=0.0)


@pytest.mark.parametrize(
    ("study", "said"),
    [
        pytest.param(RUN, {MEMORIZES, DASHED, OUTPUT}, id="a run"),
        pytest.param(changed(RUN, geometry=bounds(TABLE, layer="linear2")), ALL, id="bounds"),
        pytest.param(without_permuted_labels(), {DASHED, OUTPUT}, id="no permuted labels"),
        pytest.param(changed(RUN, geometry=TABLE.assign(kappa=0.5)), {OUTPUT}, id="a margin"),
        pytest.param(of_one_layer(), {MEMORIZES, DASHED}, id="one layer"),
        pytest.param(
            changed(RUN, geometry=TABLE[TABLE["layer"] != "linear6"]), {MEMORIZES, DASHED}, id="no output measured"
        ),
    ],
)
def test_a_caption_says_nothing_of_what_is_not_there(study, said):
    found = caption(study)
    assert {one for one in ALL if one in found} == said


def test_a_caption_says_what_the_errors_of_the_first_run_are():
    assert "Errors are half the 99% interval over seeds" in caption(THREE)
    assert "one standard error of the random draws they are estimated from" in caption(RUN)
