import base64
import gzip
import io
import json
import re
from urllib.parse import unquote
from xml.etree import ElementTree

import jax
import numpy as np
import pandas as pd
import pytest

from memorize_jax.commands import report
from memorize_jax.epochs import at_stages
from memorize_jax.measurements.registry import open_study
from memorize_jax.report.study_page import versions
from memorize_jax.runs.folder import RunFolder
from memorize_jax.storage.tables import GEOMETRY, METRICS, read_table
from tests.experiments.made_up import made_up_run
from tests.figures.invented import THREE, bounds

METRICS_OF = {seed: THREE.metrics_of(seed) for seed in THREE.seeds}


@pytest.fixture(scope="module")
def page(smoke_run):
    return RunFolder(smoke_run).report.read_text(encoding="utf-8")


def addresses(page, attribute):
    return re.findall(rf'\b{attribute}="([^"]*)"', page)


def packed(page):
    """Name -> text that the page carries compressed."""
    found = dict(re.findall(r'<script type="text/plain" id="packed-([\w-]+)">([^<]*)</script>', page))
    return {name: gzip.decompress(base64.b64decode(text, validate=True)).decode() for name, text in found.items()}


def without_data(page):
    """The page without its images and what it carries compressed."""
    return re.sub(r'"data:[^"]*"|<script type="text/plain".*?</script>', "", page)


def test_the_page_needs_nothing_else(page):
    assert len(page.encode()) < 3_000_000
    plain = without_data(page)
    assert "http://" not in plain
    assert "https://" not in plain
    assert not re.search(r"<(link|iframe|object|base)\b|url\(|@import|\bsrcset=", plain)
    images = addresses(page, "src")
    drawings = [address for address in images if address.startswith("data:image/svg+xml;charset=utf-8,")]
    assert len(drawings) > 10
    assert all(address.startswith("data:image/png;base64,") for address in set(images) - set(drawings))
    for address in drawings:
        image = ElementTree.fromstring(unquote(address.partition(",")[2].replace("&amp;", "&")))
        assert image.tag.endswith("svg")
        links = [value for node in image.iter() for name, value in node.items() if name.endswith("href")]
        assert all(link.startswith(("#", "data:")) for link in links)


def test_links_lead_to_parts_of_the_page_or_to_whole_tables(page, smoke_run):
    names = set(addresses(page, "id"))
    links = addresses(page, "href")
    assert {link[1:] for link in links if link.startswith("#")} <= names
    asked = set(re.findall(r'download="(\w+)\.csv"[^>]* data-table="\1"', page))
    downloads = {name: text for name, text in packed(page).items() if name not in ("vega", "moving-picture")}
    assert asked == set(downloads)
    # That of umap is there where umap-learn is installed.
    tables = "claims metrics geometry collapse rewinding gradients decoding decoding_choice capacity_check examples"
    tables += " per_example per_example_auroc per_example_images"
    tables += " few_shot similarity"
    assert set(downloads) - {"umap"} == set(tables.split())
    found = pd.read_csv(io.StringIO(downloads["geometry"]))
    pd.testing.assert_frame_equal(found, read_table(RunFolder(smoke_run).results / "geometry.csv", GEOMETRY, ""))


def test_the_page_shows_the_numbers_of_the_tables(page, smoke_run):
    text = page.replace("\N{NO-BREAK SPACE}", " ")
    metrics = read_table(RunFolder(smoke_run).metrics, METRICS, "")
    assert f"{100 * metrics['test_accuracy'].max():.1f} %" in text
    table = read_table(RunFolder(smoke_run).results / "geometry.csv", GEOMETRY, "")
    for capacity in table[table["epoch"] == 4]["capacity"]:
        assert f">{capacity:.4f}</td>" in text


def test_pictures_come_first_then_claims_and_all_of_them(page, smoke_run):
    claims = pd.read_csv(RunFolder(smoke_run).results / "claims.csv")
    parts = re.findall(r'<h2[^>]* id="(\w+)"', page)
    assert parts[:2] == ["claims", "checks"]
    assert page.index('id="moving"') < page.index('id="examples"') < page.index('id="claims"')
    assert parts[-2:] == ["tables", "making"]
    assert page.index('id="checks"') < page.index('id="theory_matches_simulation"') < page.index('id="part1"')
    for verdict, number in claims["verdict"].value_counts().items():
        name = re.sub(r"[^a-z]+", "-", verdict).strip("-")
        assert re.search(rf'<li class="{name}"><b>{number}</b>', page)
        assert page.count(f'<span class="badge {name}">') == number


def test_figures_that_cannot_be_drawn_are_named_with_the_command(page):
    (folded,) = re.findall(r"<details><summary>\d+ figures of the paper that.*?</details>", page, flags=re.DOTALL)
    assert "python -m experiments.double_descent" in folded


def test_the_page_says_how_to_repeat_it(page):
    (commands,) = re.findall(r"<pre>(.*?)</pre>", page, flags=re.DOTALL)
    assert "python -m experiments.reproduce --preset=smoke --geometry_epochs=0,final --workdir=" in commands
    assert f'<th scope="row" class="text">jax</th><td class="text">{jax.__version__}</td>' in page


def test_settings_cannot_become_part_of_the_page_and_a_missing_table_is_named_with_its_command(tmp_path):
    workdir = made_up_run(tmp_path / "<b>bold", data_dir="<script>alert('&')</script>")
    (workdir / "results" / "geometry.csv").unlink()
    page = report.run(workdir)[0].read_text(encoding="utf-8")
    assert without_data(page).count("<script") == 1
    assert "&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;" in page
    assert "<b>bold" not in page
    assert f"python -m experiments.geometry --workdir=&#39;{tmp_path}/&lt;b&gt;bold&#39;" in page
    assert 'id="fig2a"' in page
    assert 'id="fig3a"' not in page


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_groups_that_are_empty_are_dashes(tmp_path, fraction):
    page = report.run(made_up_run(tmp_path, fraction))[0].read_text(encoding="utf-8")
    assert ">–</td>" in page
    assert not re.search(r"\bnan\b", without_data(page))


@pytest.mark.parametrize("missing", ["config.json", "metrics.csv"])
def test_without_training_there_is_no_report(tmp_path, missing):
    (made_up_run(tmp_path) / missing).unlink()
    with pytest.raises(FileNotFoundError, match=f"python -m experiments.train --workdir={tmp_path}"):
        report.run(tmp_path)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """An ensemble of two seeds, and what it says about test accuracy."""
    workdir = tmp_path_factory.mktemp("seeds")
    for seed, accuracy in ((0, 0.2), (1, 0.4)):
        made_up_run(workdir / f"seed_{seed}", test_accuracy=accuracy, seed=seed)
    return workdir


def test_an_ensemble_has_a_page_over_its_seeds_and_its_members_have_theirs(seeds):
    page = report.run_all(seeds)[0].read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    for member in ("seed_0", "seed_1"):
        assert RunFolder(seeds / member).report.is_file()
    # t with one degree of freedom, 99 %: 63.657 standard errors of 0.1.
    assert "30.0 ± 636.6 %" in page
    assert "--seeds=0,1" in page
    assert not re.search(r"\bnan\b", without_data(page))
    over = pd.read_csv(RunFolder(seeds).results / "over_seeds.csv")
    assert set(over["measure"]) == {"capacity", "joint_capacity", "radius", "dimension", "center_correlation"}
    assert (over["num_seeds"] == 2).all()
    np.testing.assert_allclose(over["mean"], 0.5)


def test_a_mean_with_a_bound_in_it_is_flagged_over_seeds():
    """Of one layer and group the joint capacity of one seed is a bound; its other measures are not."""
    rows = at_stages(bounds(THREE.tables["geometry"], layer="linear3", group="test", seed=1), METRICS_OF)
    found = report.geometry_over_seeds(rows)
    flagged = found[found["num_bounds"] > 0]
    assert set(zip(flagged["layer"], flagged["group"], flagged["measure"], strict=True)) == {
        ("linear3", "test", "joint_capacity")
    }
    assert (set(flagged["num_bounds"]), set(flagged["num_seeds"]), len(flagged)) == ({1}, {3}, 2)
    assert flagged[["low", "high"]].isna().all(axis=None)
    assert found.loc[found["num_bounds"] == 0, ["low", "high"]].notna().all(axis=None)


def test_studies_side_by_side(seeds, tmp_path):
    other = made_up_run(tmp_path / "other", 0.25, test_accuracy=0.9)
    before = {path: path.read_bytes() for path in other.rglob("*") if path.is_file()}
    path = report.compare([str(seeds), str(other)], tmp_path / "compared")
    page = path.read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    assert {path: path.read_bytes() for path in other.rglob("*") if path.is_file()} == before
    assert "30.0 ± 636.6 %" in page
    assert "90.0 %" in page
    settings = page.partition('id="settings"')[2]
    assert re.findall(r'<th scope="row" class="text">(\w+)</th>', settings) == ["permuted_fraction", "seed"]
    # Training, and both epochs of the geometry, of both.
    assert len(addresses(page, "src")) == 6
    assert not re.search(r"\bnan\b", without_data(page))


@pytest.mark.parametrize("folders", [["a"], ["a", "a"], ["a", "a/"], ["a", "b/../a", "b"], [], ["a", "gs://foo/bar"]])
def test_what_cannot_be_compared_is_refused(folders, tmp_path):
    message = (
        "folders on this machine, got gs://foo/bar" if "gs://foo/bar" in folders else "two or more different folders"
    )
    with pytest.raises(ValueError, match=f"expected --workdirs.* {message}"):
        report.compare(folders, tmp_path)


def test_the_comparison_stands_beside_the_first_study_unless_said(seeds, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "comparison_page", lambda compared: ", ".join(one.name for one in compared))
    other = made_up_run(tmp_path / "other")
    path = report.compare([str(other), str(seeds)])
    assert path == tmp_path / "comparison.html"
    assert path.read_text() == f"other, {seeds.name}"


def test_versions_that_a_run_did_not_note_are_unknown(tmp_path):
    for seed in (0, 1):
        made_up_run(tmp_path / f"seed_{seed}", seed=seed)
    config = RunFolder(tmp_path / "seed_0").config
    config.write_text(json.dumps({"config": json.loads(config.read_text())["config"]}))
    assert versions(open_study(tmp_path))["jax"] == f"unknown, {jax.__version__}"


@pytest.mark.parametrize(("table", "step"), [("metrics", "train"), ("results/geometry", "geometry")])
def test_a_table_without_rows_names_the_command_that_makes_it(tmp_path, table, step):
    path = made_up_run(tmp_path) / f"{table}.csv"
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    message = rf"no rows\); make the table again with: python -m experiments.{step} --workdir={tmp_path}$"
    with pytest.raises(ValueError, match=message):
        report.run(tmp_path)


def test_studies_of_the_same_name_are_told_apart(tmp_path):
    paths = [str(tmp_path / "a" / "digits"), str(tmp_path / "b" / "digits"), str(tmp_path / "b" / "spheres")]
    assert report.short_names(paths) == ["a/digits", "b/digits", "b/spheres"]


def test_a_sweep_has_a_page_of_its_runs(tmp_path):
    for name, fraction in (("one", 0.25), ("two", 0.5)):
        made_up_run(tmp_path / name, fraction, test_accuracy=fraction)
    runs = {"run": ["one", "two"], "permuted_fraction": [0.25, 0.5], "seeds": 1, "state": "complete"}
    pd.DataFrame(runs).to_csv(tmp_path / "runs.csv", index=False)
    page = report.run(tmp_path)[0].read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    assert "Networks that differ in permuted fraction" in page
    assert 'id="figa8"' in page
    for fraction in ("0.25", "0.5"):
        assert re.search(rf'>{fraction}</td><td data-value="{fraction}">{100 * float(fraction):.1f} %</td>', page)
