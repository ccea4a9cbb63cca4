import collections
import json
import zlib

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from benchmarks import claims_by_study, document, printed, prose, published_training, results_page
from benchmarks.claims_by_study import Discussion
from benchmarks.comparison import Comparison, Judged
from benchmarks.discussed import discussed
from benchmarks.published import comparisons
from benchmarks.trimmed import trim
from memorize_jax.claims.sheet import evaluate
from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels
from memorize_jax.measurements.registry import open_study, statements
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.labels import write_labels
from memorize_jax.runs.noted import Noted, read_config, read_noted, write_config
from memorize_jax.storage.files import read_json
from memorize_jax.storage.tables import write_table
from memorize_jax.studies.study import Study
from tests.commands import ROOT
from tests.experiments.made_up import made_up_run
from tests.figures import invented

FOLDER = ROOT / "docs" / "results"
MODULE = "benchmarks.results"


def labeled_run(workdir, fraction=0.5, **options):
    made_up_run(workdir, fraction, **options)
    run = RunFolder(workdir)
    line = "python -m experiments.train --workdir=/home/me/source --data_dir=/home/me/data --epochs=2"
    write_config(run, read_config(run), read_noted(run)._replace(commands=[line]))
    labels = np.zeros(8, np.int32)
    permuted = np.arange(8) < 8 * fraction
    write_labels(run, PermutedLabels(assigned=labels, true=labels, is_permuted=permuted), read_config(run))
    return workdir


def made_up_sweep(workdir, state="complete"):
    rows = []
    for name, fraction in (("a", 0.5), ("b", 1.0), ("c", 0.0)):
        labeled_run(workdir / name, fraction)
        rows.append({"run": name, "permuted_fraction": fraction, "seeds": 1, "state": state, "epochs": 2})
    rows.append({"run": "d", "permuted_fraction": 0.75, "seeds": 1, "state": "missing", "epochs": 0})
    write_table(workdir / "runs.csv", rows, tuple(rows[0]))
    return workdir


@pytest.fixture(scope="module")
def judged():
    return results_page.read_studies(FOLDER)


def test_what_is_written_follows_from_the_committed_tables(judged, monkeypatch):
    monkeypatch.setattr(results_page, "read_studies", lambda folder: judged)
    content = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert document.replaced(content, MODULE, results_page.page(FOLDER)) == content, f"run: python -m {MODULE} --write"


def test_the_claims_that_fail_are_those_that_are_discussed(judged):
    assert set(discussed()) == set(claims_by_study.failing(judged))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("## one: paper\n\nwords\n\n## one: paper\n\nmore\n", "expected one section 'one: paper' in discussed.md"),
        (
            "## one: paper\n\n## two: paper\n\nwords\n",
            "'one: paper' in discussed.md, with a paragraph, got another or none",
        ),
        ("## one: weather\n\nwords\n", r"expected a paragraph below CLAIM: regime | .*, got 'one: weather'"),
        ("## one: paper\n\nwords\n\nmore\n", "got 'one: paper'"),
    ],
)
def test_a_fault_in_what_people_wrote_is_named(tmp_path, monkeypatch, text, words):
    (tmp_path / "discussed.md").write_text(text)
    monkeypatch.setattr(prose, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(ValueError, match=words):
        discussed()


def test_figures_shown_are_there_and_small_and_committed_studies_are_trimmed(judged):
    chosen = [(one.name, figure.name) for one in judged for figure in results_page.chosen_figures(one.study)]
    shown = {FOLDER / name / "figures" / f"{figure}.svg" for name, figure in chosen}
    assert shown == set(FOLDER.rglob("*.svg"))
    sizes = [path.stat().st_size for path in shown]
    # Eighteen layers with bands are the most; all together stay a small part of a clone.
    assert max(sizes) < 250_000
    assert sum(sizes) < 2_000_000
    kept = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert {path.suffix for path in kept} == {".csv", ".json", ".svg"}
    # As a clone brings them.
    assert sum(len(zlib.compress(path.read_bytes())) for path in kept if path.suffix != ".svg") < 2_000_000
    for path in FOLDER.rglob("config.json"):
        assert json.loads(path.read_text())["config"]["data_dir"] is None


def test_recomputed_by_hand_from_the_committed_tables(judged):
    digits = next(one for one in judged if one.name == "digits")
    back, highest, ends = [], [], []
    for seed in digits.study.seeds:
        results = FOLDER / "digits" / f"seed_{seed}" / "results"
        metrics = pd.read_csv(results.parent / "metrics.csv")
        rewinding, geometry = (pd.read_csv(results / f"{name}.csv") for name in ("rewinding", "geometry"))
        last = rewinding[(rewinding["layer"] == "linear5") & (rewinding["into"] == "final")]
        back.append(100 * last["test_accuracy"].max() / metrics["test_accuracy"].max())
        best = metrics["epoch"][metrics["test_accuracy"].idxmax()]
        hidden = geometry["layer"].isin([f"linear{number}" for number in range(1, 6)])
        own = geometry[hidden & (geometry["epoch"] == best) & (geometry["group"] == "permuted")]
        highest.append(own["joint_capacity"].max() * 30 / 2)
        ends.append(100 * metrics["train_accuracy"].iloc[-1])
    measured = results_page.read_measured(FOLDER / "measured.csv")
    found = comparisons([digits], measured)
    ours = {row.quantity.partition(" ")[0]: row for row in found if row.where == "digits"}
    half = scipy.stats.t.ppf(0.975, len(back) - 1) * np.std(back, ddof=1) / np.sqrt(len(back))
    mean = np.mean(back)
    assert ours["highest"].ours == f"{mean:.4g} % [{mean - half:.4g}, {mean + half:.4g}]"
    assert ours["highest"].gap == f"{mean - 90:+.1f} points"
    # From the lowest to the highest seed, as these are the highest of several layers, and the ends of training.
    assert ours["permuted"].ours == f"{np.mean(highest):.4g} [{min(highest):.4g}, {max(highest):.4g}]"
    assert ours["accuracy"].ours == f"{np.mean(ends):.4g} % [{min(ends):.4g}, {max(ends):.4g}]"
    # The output is never rewound in the paper, whatever it gives back.
    changed = digits.study.tables["rewinding"].copy()
    changed.loc[changed["layer"] == "linear6", "test_accuracy"] = 1.0
    tables = {**digits.study.tables, "rewinding": changed}
    again = comparisons([digits._replace(study=digits.study._replace(tables=tables))], measured)
    assert [row.reason for row in again if "rewound" in row.quantity] == [ours["highest"].reason]


def test_one_seed_has_an_interval_over_its_test_images(judged):
    digits = next(one for one in judged if one.name == "digits").study
    tables = {name: table[table["seed"] == 3] for name, table in digits.tables.items()}
    measured = results_page.read_measured(FOLDER / "measured.csv")

    def stated(num_test):
        own = {**tables, "rewinding": tables["rewinding"].assign(num_test=num_test)}
        study = digits._replace(seeds=(3,), tables=own)
        found = comparisons([Judged("mine", study, evaluate(study, statements()))], measured)
        return next(row for row in found if row.where == "mine" and "rewound" in row.quantity)

    assert "[" not in stated(np.nan).ours
    share, *ends = map(
        float, stated(355).ours.replace("%", "").replace("[", "").replace("]", "").replace(",", "").split()
    )
    best = tables["metrics"]["test_accuracy"].max()
    # Two samples of 355 images, drawn again and again.
    rng = np.random.default_rng(0)
    again = rng.binomial(355, share / 100 * best, 100_000) / rng.binomial(355, best, 100_000)
    np.testing.assert_allclose(ends, 100 * np.quantile(again, [0.025, 0.975]), rtol=0.005)
    assert stated(355).n == "1 seed, over its test images"


@pytest.mark.parametrize(
    ("epochs", "reason"), [((7, 300), "300 epochs at most, theirs 1000"), ((7, 1000), "–"), ((1000, 9), "9 epochs at")]
)
def test_the_reason_for_a_gap_names_the_epochs_of_the_runs_that_are_judged(tmp_path, epochs, reason):
    """The first run in the order of names is not the one with half of the labels permuted."""
    runs = []
    for name, fraction, number in zip("ab", (1.0, 0.5), epochs, strict=True):
        made_up_run(tmp_path / name, fraction, epochs=number)
        runs.append({"run": name, "permuted_fraction": fraction, "seeds": 1, "state": "complete"})
    write_table(tmp_path / "runs.csv", runs, tuple(runs[0]))
    study = open_study(tmp_path)
    claims = {claim.claim: claim for claim in evaluate(study, statements())}
    claims["training_is_fitted"] = claims["training_is_fitted"]._replace(measured=0.9)
    measured = results_page.read_measured(FOLDER / "measured.csv")
    found = comparisons([Judged("mine", study, list(claims.values()))], measured)
    assert next(row for row in found if row.where == "mine").reason.startswith(reason)


def test_double_descent_stands_beside_the_published_errors():
    """Two seeds and four of the fourteen widths; the narrowest is not judged for the peak."""
    errors = {5: (70.0, 72.0), 16: (48.0, 50.0), 47: (55.0, 56.0), 300: (44.0, 46.0)}
    rows = [
        {"seed": seed, "width": width, "moment": "final", "test_accuracy": 1 - pair[seed] / 100}
        for width, pair in errors.items()
        for seed in (0, 1)
    ]
    study = Study(
        FOLDER, "mnist1d_mlp", "mnist1d_12000", 0.15, (), (0, 1), {"double_descent": pd.DataFrame(rows)}, ("width",)
    )
    found = list(published_training.mnist1d(Judged("mine", study, [])))
    # Published: 57.45, 47.24, 54.05, 45.47.
    assert [row.gap for row in found] == [
        *("+13.55 points", "+1.76 points", "+1.45 points", "-0.47 points", "–", "+1.9 points")
    ]
    # Student's t with one degree of freedom: 12.706 times a standard error of 1.
    assert found[1].ours == "49.00 [36.29, 61.71]"
    assert (found[4].published, found[4].ours) == ("47", "47")
    assert (found[5].published, found[5].ours) == ("8.6", "10.5")
    assert list(published_training.mnist1d(Judged("mine", study._replace(dataset="digits"), []))) == []


def test_the_best_layer_stands_beside_the_published_one():
    metrics = pd.DataFrame({"permuted_fraction": [0.4, 0.4, 0.5], "epoch": [0, 9, 9], "test_accuracy": [0.1, 0.7, 0.6]})
    layers = {"input": 0.8, "linear1": 0.9, "linear2": 0.95}
    rows = [
        {"permuted_fraction": 0.4, "epoch": epoch, "layer": layer, "method": method, "labels": labels}
        | {"test_accuracy": accuracy - (epoch == 0) / 2 + (labels == "true") / 20}
        for layer, accuracy in layers.items()
        for epoch in (0, 9)
        for method, labels in (("masc", "assigned"), ("masc", "true"), ("velpic", "assigned"))
    ]
    tables = {"metrics": metrics, "decoding": pd.DataFrame(rows)}
    noted = {FOLDER: Noted(RunConfig(num_train=2000))}
    study = Study(
        FOLDER, "masc_mlp", "mnist", 0.4, ("linear1", "linear2"), (0,), tables, ("permuted_fraction",), noted=noted
    )
    (found,) = published_training.corruption(Judged("mine", study, []))
    assert (found.published, found.ours) == ("73.3, 96.5 (MLP, MNIST)", "70.0, 90.0")
    assert found.gap == "-3.2 points between the two"
    assert found.reason == "2,000 of 60,000 training images"


def test_sizes_counted_from_the_printed_layers_are_those_of_our_networks():
    measured = results_page.read_measured(FOLDER / "measured.csv")
    for network, count in (("vgg16", printed.vgg16()), ("resnet18", printed.resnet18())):
        assert count == tuple(measured[f"{network} {what}"].value for what in ("parameters", "multiply-adds"))
    # 3 x 3 x 2 x 5 weights, scales, offsets; 4 x 4 places; 6 weights, 3 biases.
    assert printed.count([printed.Convolution(2, 5, 3, 4)], [(2, 3)]) == (90 + 10 + 9, 1440 + 6)


def test_a_trimmed_run_reads_like_the_run(tmp_path):
    source = labeled_run(tmp_path / "run", data_dir="/somewhere", test_accuracy=0.123456789)
    trim(source, tmp_path / "small")
    (tmp_path / "small" / "old.csv").touch()
    trim(source, tmp_path / "small")
    full, small = open_study(source), open_study(tmp_path / "small")
    assert small.tables.keys() == full.tables.keys()
    assert small.tables["metrics"]["test_accuracy"].iloc[0] == 0.12346
    pd.testing.assert_frame_equal(small.tables["geometry"], full.tables["geometry"])
    assert read_json(tmp_path / "small" / "examples.json") == ({"training": 8, "permuted": 4}, True)
    noted = read_noted(RunFolder(tmp_path / "small"))
    assert noted.commands == ["python -m experiments.train --workdir=runs/small --epochs=2"]
    assert noted.config.data_dir is None
    kept = {path.name for path in (tmp_path / "small").rglob("*") if path.is_file()}
    assert kept == {"config.json", "examples.json", "metrics.csv", "geometry.csv"}


EXPECTED = {
    # Half of 0.1 times the 97.5 % point of Student's t with one degree of freedom.
    "ensemble": ("| test | 30.0 ± 63.5 |", "experiments.train --workdir=runs/mine/seed_1 --epochs=2"),
    "sweep": (
        "| labels permuted | 0; 4; 8 |",
        "| 0.0 | 0 | 2 | 25.0 | 25.0 | 25.0 | – | – |",
        "experiments.train --workdir=runs/mine/c --epochs=2",
    ),
    "double_descent": ("| labels permuted | 4 |", "results/mine/figures/fig4c.svg"),
}


@pytest.mark.parametrize("kind", EXPECTED)
def test_a_section_of_several_runs(tmp_path, monkeypatch, kind):
    source = tmp_path / "source"
    if kind == "sweep":
        made_up_sweep(source)
    elif kind == "double_descent":
        labeled_run(source / "width_2" / "seed_0", width=2)
        RunFolder(source).results.mkdir()
        invented.descent().tables[kind].to_csv(RunFolder(source).results / f"{kind}.csv", index=False)
    else:
        for seed in (0, 1):
            labeled_run(source / f"seed_{seed}", seed=seed, test_accuracy=0.25 + 0.1 * seed)
    trim(source, tmp_path / "results" / "mine")
    (tmp_path / "results" / "measured.csv").write_text((FOLDER / "measured.csv").read_text())
    # Whatever fails on made-up numbers.
    anything = collections.defaultdict(lambda: Discussion("not known", ""))
    monkeypatch.setattr(results_page, "discussed", lambda: anything)
    text = results_page.page(tmp_path / "results")
    assert str(tmp_path) not in text
    assert "/home/me" not in text
    for expected in EXPECTED[kind]:
        assert expected in text


def test_what_cannot_be_trimmed_is_named(tmp_path):
    made_up_sweep(tmp_path / "sweep", state="unfinished")
    with pytest.raises(ValueError, match=r"expected a sweep of finished runs in .*, but a, b, c are not"):
        trim(tmp_path / "sweep", tmp_path / "small")
    labeled_run(tmp_path / "run")
    with pytest.raises(ValueError, match="expected a folder outside"):
        trim(tmp_path / "run", tmp_path / "run" / "small")
    with pytest.raises(FileNotFoundError, match="train one with"):
        trim(tmp_path / "nothing", tmp_path / "small")
    assert not (tmp_path / "small").exists()


def test_a_document_without_markers_is_refused_and_a_table_of_comparisons_links_to_its_studies():
    with pytest.raises(ValueError, match="expected the lines <!-- begin: python"):
        document.replaced("text", MODULE, "more")
    row = Comparison("a", "b", "1", "digits", "2", "3", "4", "5")
    text = results_page.comparison_table([row])
    assert "| a | b | 1 | [digits](#digits) | 2 | 3 | 4 | 5 |" in text
