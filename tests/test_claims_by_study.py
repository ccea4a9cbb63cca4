import pathlib

import pytest

from benchmarks import claims_by_study
from benchmarks.claims_by_study import Discussion
from benchmarks.comparison import Judged
from memorize_jax.claims.statement import FAILS, HOLDS, NOT_TESTABLE, UNDECIDED, Claim
from memorize_jax.studies.study import Study

NAMES = ("rises", "falls", "stays", "never")


def judged(name, verdicts, seeds=(0,)):
    nan = float("nan")
    claims = [
        Claim(own, f"It {own}.", "3A", "a share", 0.25, nan if len(seeds) == 1 else 0.2, 0.3, "> 0.5", verdict, "")
        for own, verdict in zip(NAMES, verdicts, strict=True)
    ]
    return Judged(name, Study(pathlib.Path(name), "mlp", "digits", 0.5, (), seeds, {}), claims)


STUDIES = [
    judged("small", (HOLDS[1], FAILS, NOT_TESTABLE, NOT_TESTABLE)),
    judged("large", (HOLDS[0], UNDECIDED, FAILS, NOT_TESTABLE), (0, 1, 2)),
]


def test_a_row_for_each_claim_that_is_tested_and_a_column_for_each_study():
    lines = [line.strip("| ").split(" | ") for line in claims_by_study.table(STUDIES).splitlines()]
    assert lines[0] == ["claim", "figure", "[small](#small)", "[large](#large)"]
    assert lines[2:] == [
        ["*seeds*", "", "1", "3"],
        ["`rises`", "3A", "holds", "holds"],
        ["`falls`", "3A", "**fails**", "open"],
        ["`stays`", "3A", "", "**fails**"],
    ]
    assert claims_by_study.untested(STUDIES) == ["never"]
    assert "No study here can test `never`." in claims_by_study.summary(STUDIES)
    apart = judged("recipes", (NOT_TESTABLE,) * 4)
    assert claims_by_study.table([*STUDIES, apart]) == claims_by_study.table(STUDIES)
    assert "The runs of [recipes](#recipes) differ in their recipes" in claims_by_study.summary([apart])
    assert "differ" not in claims_by_study.summary(STUDIES)
    assert "can test" not in claims_by_study.summary([one._replace(claims=one.claims[:2]) for one in STUDIES])


def test_each_claim_that_fails_is_discussed_with_what_was_measured():
    about = {"falls": Discussion("regime", "Few classes."), "stays": Discussion("paper", "It does not.")}
    text = claims_by_study.discussions(STUDIES, about)
    assert "**`falls`** (3A; regime). *It falls.* Fails in small 0.25; expected > 0.5. Few classes." in text
    assert "Fails in large 0.25 [0.2, 0.3]; expected > 0.5. It does not." in text
    with pytest.raises(ValueError, match="expected a discussion of stays, which fails in large"):
        claims_by_study.discussions(STUDIES, {"falls": about["falls"]})
    with pytest.raises(ValueError, match="expected the cause of falls to be one of regime, definition"):
        claims_by_study.discussions(STUDIES, {**about, "falls": Discussion("weather", "")})
