import math

import pandas as pd
import pytest

from memorize_jax.claims.sheet import evaluate
from memorize_jax.commands import claims
from memorize_jax.measurements.registry import open_study, statements
from memorize_jax.runs.folder import RunFolder
from memorize_jax.storage.tables import CLAIMS, read_table
from tests.claims.invented import study
from tests.experiments.made_up import as_seed, made_up_run


def judge(workdir):
    return claims.judge(open_study(workdir))


def table_of(workdir):
    return read_table(RunFolder(workdir).results / "claims.csv", CLAIMS, "").set_index("claim")


def test_a_run_is_judged_by_its_tables(smoke_run, tmp_path):
    found = judge(as_seed(smoke_run, tmp_path / "run", 0))
    table = table_of(tmp_path / "run")
    assert tuple(table.reset_index().columns) == CLAIMS
    assert table.index.tolist() == [statement.name for statement in statements()] == [claim.claim for claim in found]
    # Four epochs are too few to memorize; the run confirms nothing of the final epoch.
    metrics = pd.read_csv(RunFolder(smoke_run).metrics)
    assert metrics["permuted_accuracy"].iloc[-1] < 0.5
    for name in ("test_falls_after_peak", "permuted_rise_in_late_layers", "last_layer_recovers"):
        assert table.loc[name, "verdict"] == "not testable"
        assert "before the network memorized" in table.loc[name, "reason"]
    rise = metrics["restored_accuracy"].max() - metrics["restored_accuracy"].iloc[0]
    assert table.loc["restored_rises", "measured"] == pytest.approx(rise)
    assert table.loc["restored_rises", "verdict"] == ("holds (one seed)" if rise > 0.1 else "does not hold")
    norms = pd.read_csv(RunFolder(smoke_run).results / "gradients.csv").query("form == 'eq15' and group == 'all'")
    norms = norms.query("part == 'full'").pivot(index="epoch", columns="layer", values="squared_norm")
    assert table.loc["gradients_do_not_vanish", "measured"] == pytest.approx(
        (norms["linear1"] / norms["linear5"]).min()
    )


def test_an_ensemble_has_intervals(smoke_run, tmp_path):
    for seed in (3, 5):
        as_seed(smoke_run, tmp_path / f"seed_{seed}", seed)
    metrics = pd.read_csv(tmp_path / "seed_5" / "metrics.csv")
    metrics["restored_accuracy"] *= 1.1
    metrics.to_csv(tmp_path / "seed_5" / "metrics.csv", index=False)
    judge(tmp_path)
    row = table_of(tmp_path).loc["restored_rises"]
    rise = (metrics["restored_accuracy"].max() - metrics["restored_accuracy"].iloc[0]) / 1.1
    assert row["measured"] == pytest.approx(1.05 * rise)
    # Student's t with one degree of freedom; the two differ by a tenth of the rise.
    assert row["high"] - row["measured"] == pytest.approx(12.7062 * 0.05 * rise, rel=1e-4)


def test_a_run_without_permuted_labels_confirms_no_memorizing(tmp_path):
    judge(made_up_run(tmp_path, 0.0))
    table = table_of(tmp_path)
    assert (table["verdict"] == "not testable").all()
    assert table.loc["training_is_fitted", "reason"] == "no label was permuted"


def test_a_folder_without_a_run_says_how_to_make_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"python -m experiments.train --workdir="):
        judge(tmp_path)


def test_the_sheet_shows_every_claim_and_keeps_commands_whole():
    found = evaluate(study()._replace(tables={"metrics": study().tables["metrics"]}), statements())
    text = claims.sheet(found)
    for claim in found:
        assert claim.claim in text
        assert math.isnan(claim.measured) or f"{claim.measured:.4g}" in text
    assert "    Why: no table geometry; make it with: python -m experiments.geometry --workdir=runs/mine\n" in text
    open_ = len(statements()) - 6
    assert text.endswith(f"holds: 0, holds (one seed): 6, does not hold: 0, undecided: 0, not testable: {open_}")
    assert all(len(line) <= claims.WIDTH for line in text.splitlines() if not line.startswith("    Why: "))
