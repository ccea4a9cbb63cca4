"""What the report says of gradients: epochs of several seeds, and groups that were weighted."""

import pytest

from memorize_jax.measurements.gradients.section import COLUMNS, SECTION
from memorize_jax.pages.page import fill
from tests.figures import invented


def made_up(seeds=(0,)):
    base = invented.study(seeds=seeds)
    return base._replace(tables=base.tables | {"gradients": base.tables["gradients"].assign(bn="train")})


def said_of(study):
    return " ".join(fill(SECTION.words, study=study, facts=SECTION.facts(study)).split())


@pytest.mark.parametrize(("seeds", "first"), [((0,), "2"), ((0, 1, 2), "2 to 8")])
def test_epochs_are_those_of_all_seeds(seeds, first):
    """Seeds that were measured at their best and their final epoch."""
    base = made_up(seeds)
    table = base.tables["gradients"]
    own = table[(table["epoch"] == 2 ** (table["seed"] + 1)) | (table["epoch"] == 16)]
    text = said_of(base._replace(tables=base.tables | {"gradients": own}))
    assert text.count(f"At epoch {first} the label-dependent") == 2


def test_ratios_between_weighted_groups_are_left_out():
    base = made_up()
    shares = base._replace(tables=base.tables | {"gradients": base.tables["gradients"].assign(weighting="share")})
    text, view = said_of(shares), SECTION.views["gradients"][1](shares)
    assert "5F" in said_of(base)
    assert "5F" not in text
    # Within a group the share cancels.
    assert "(5D;" in text
    assert "measure with --gradient_weighting=subset" in text
    assert "measure with --gradient_weighting=subset" in view.note
    titles = {header.title for header in view.headers}
    assert {COLUMNS["dep_ind_unpermuted"][1], COLUMNS["dep_ind_permuted"][1]} < titles
    assert not {COLUMNS["dep"][1], COLUMNS["ind"][1]} & titles
