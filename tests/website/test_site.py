"""The built site: links, search, and whether a newcomer finds an answer."""

import json
import re

import pytest

from website.names import packages, public_names

# Question of a newcomer -> page of the site, words of its answer.
QUESTIONS = {
    "How do I see it work?": ("guides/first-report.html", "experiments.reproduce --preset=digits"),
    "How do I measure my PyTorch network?": ("guides/your-network.html", "memorize_jax.torch.extract(model, loader)"),
    "What does joint capacity mean?": (
        "glossary.html",
        "by the paper's theory, in which every class has an orientation",
    ),
    "Where do I put the CIFAR archive?": ("guides/your-data.html", "cifar-100-binary.tar.gz"),
    "How do I train ten seeds?": ("guides/many-runs.html", "--seeds=0-9"),
    "What does `status` of a result say?": ("reference/memorize_jax.geometry/ManifoldGeometry.html", "bit flags"),
    "Was figure 3 of the paper reproduced?": ("results.html", "permuted capacity at the best epoch"),
    "Which function draws figure 5?": ("paper.html", "gradients.figures.draw_norm"),
    "My machine was killed: is the run lost?": ("reliability.html", "Give the same command again"),
    "How do I run on a TPU?": ("cloud-tpu.html", "tpu-vm create"),
    "Which file has accuracy by epoch?": ("guides/run-folder.html", "metrics.csv"),
    "How do I add a measurement?": ("add-a-measurement.html", "one line in memorize_jax/measurements/registry.py"),
    "Which arguments has `analyze`?": ("reference/memorize_jax/analyze.html", "joint_draws"),
    "How do I run the tests?": ("contributing.html", "-m pytest -q -n 2 tests/data"),
    "How long does it take?": ("performance.html", "median"),
    "How do I cite it?": ("citing.html", "stephenson2021geometry"),
}


def test_every_link_leads_somewhere(site, pages):
    assert len(pages) > 150
    for file, page in pages.items():
        for target, anchor in page.links:
            assert target.exists(), (file, target)
            # Code has anchors for its lines where it is numbered; generated pages of others have none.
            if anchor and target in pages:
                assert anchor in pages[target].anchors, (file, target, anchor)


def test_nothing_is_loaded_from_elsewhere(site, pages):
    for file, page in pages.items():
        for source in page.loaded:
            assert not re.match(r"(https?:)?//", source), (file, source)
            assert (file.parent / source.partition("?")[0]).exists() or source.startswith("data:"), (file, source)
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\((['\"]?)(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_search_finds_every_public_name_without_a_server(site):
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    titles = {re.sub("<[^>]*>", "", entry["title"]) for entry in index["docs"]}
    for package in packages():
        for one in public_names(package):
            assert one.path in titles or f"{one.package}.{one.name}" in titles, one
    # What is read from the disk is a script, and what starts a worker there is on the page.
    assert (site / "search" / "search_index.js").is_file()
    assert "iframe-worker.js" in (site / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_is_two_clicks_away(site, pages, question):
    place, words = QUESTIONS[question]
    reached = {site / "index.html"}
    for _ in range(2):
        reached |= {target for file in reached for target, _ in pages[file].links if target in pages}
    assert site / place in reached
    assert words in pages[site / place].text
