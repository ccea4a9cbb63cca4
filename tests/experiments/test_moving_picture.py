"""The moving picture, driven as a reader drives it."""

from xml.etree import ElementTree

import pandas as pd
import pytest

from memorize_jax.commands import report
from memorize_jax.report import study_page
from memorize_jax.runs.folder import RunFolder
from tests.experiments import chromium
from tests.experiments.made_up import made_up_run

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(chromium.executable() is None, reason="no Chromium on the PATH")
SHOWN = "#chart svg"
TITLES = "#chart svg .role-title-text text"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium.executable(), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser):
    """Opens a page; what goes wrong, and what it asks of a network, is an error at the end."""
    contexts, problems = [], []

    def go(path, width=1400, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda one: problems.append(one.url) if one.url.startswith("http") else None)
        page.goto(path.absolute().as_uri())
        return page

    yield go
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    """The page of an ensemble of two seeds."""
    workdir = tmp_path_factory.mktemp("seeds")
    for seed in (0, 1):
        made_up_run(workdir / f"seed_{seed}", seed=seed)
    with pytest.MonkeyPatch.context() as patched:
        # Static figures are not what is looked at here.
        patched.setattr(study_page, "parts", lambda *about: ([], []))
        return report.run(workdir)[0]


def titles(page):
    return " ".join(page.locator(TITLES).all_text_contents())


def cell(page, layer, epoch):
    """The cell of the first map in a row and a column, counted from 0."""
    cells = page.locator(f"{SHOWN} .concat_0_concat_0_layer_0_marks path")
    boxes = [cells.nth(index).bounding_box() for index in range(cells.count())]
    rows, columns = (sorted({round(box[side]) for box in boxes}) for side in ("y", "x"))
    places = [(rows.index(round(box["y"])), columns.index(round(box["x"]))) for box in boxes]
    return cells.nth(places.index((layer, epoch)))


def test_the_picture_is_in_the_first_screen_and_fits_however_wide_it_is(visit, smoke_run):
    page, widths = visit(RunFolder(smoke_run).report), []
    page.wait_for_selector(SHOWN)
    assert page.locator("#moving .still").is_hidden()
    for width in (1400, 768, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(400)
        box = page.locator(SHOWN).bounding_box()
        assert box["y"] < 600
        assert box["x"] + box["width"] <= width
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        widths.append(box["width"])
    assert widths == sorted(widths, reverse=True)


def test_slider_hover_and_click_are_linked(visit, smoke_run):
    page = visit(RunFolder(smoke_run).report)
    page.wait_for_selector(SHOWN)
    last = page.locator("output").inner_text()
    assert f"All groups at epoch {last}" in titles(page)
    page.locator("#step").focus()
    page.keyboard.press("Home")
    page.wait_for_function("document.querySelector('output').textContent === '0'")
    assert page.locator("#step").get_attribute("aria-valuetext") == "epoch 0"
    page.wait_for_timeout(100)
    assert "All groups at epoch 0" in titles(page)
    # The values of the table, when a cell is pointed at.
    geometry = pd.read_csv(RunFolder(smoke_run).results / "geometry.csv")
    row = geometry[(geometry["layer"] == "linear2") & (geometry["group"] == "permuted")].iloc[-1]
    cell(page, 2, 1).hover()
    tip = page.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    names, values = (tip.locator(f"td.{kind}").all_text_contents() for kind in ("key", "value"))
    pairs = dict(zip(names, values, strict=True))
    assert (pairs["layer"], pairs["epoch"], pairs["seeds"]) == ("linear2", str(row["epoch"]), str(row["seed"]))
    assert pairs["K (directions removed)"] == str(row["num_center_components"])
    multiple = row["joint_capacity"] * row["examples_per_class"] / 2
    assert float(pairs["value"]) == pytest.approx(multiple, rel=1e-3)
    assert float(pairs["±"]) > 0
    assert pairs["status"]
    cell(page, 2, 1).click()
    assert page.locator("select[data-param=layer]").input_value() == "linear2"
    assert page.locator("output").inner_text() == last
    marked = page.locator("tr.marked").all()
    assert marked
    assert all("linear2" in one.text_content() for one in marked)
    floor = page.locator(f"{SHOWN} .concat_0_concat_1_layer_0_marks line")
    assert floor.get_attribute("opacity") == "1"
    page.select_option("select[data-param=measure]", "dimension")
    page.wait_for_timeout(100)
    assert floor.get_attribute("opacity") == "0"
    assert "dimension" in titles(page)


def test_everything_can_be_downloaded(visit, smoke_run):
    page = visit(RunFolder(smoke_run).report)
    page.wait_for_selector(SHOWN)

    def saved(locator):
        with page.expect_download() as waiting:
            locator.click()
        return waiting.value.suggested_filename, waiting.value.path().read_bytes()

    for place in (page.locator("#moving"), page.locator("#fig2a")):
        name, content = saved(place.get_by_text("SVG", exact=True))
        assert name.endswith(".svg")
        assert ElementTree.fromstring(content.decode()).tag.endswith("svg")
        name, content = saved(place.get_by_text("PNG", exact=True))
        assert (name[-4:], content[:4]) == (".png", b"\x89PNG")
        name, content = saved(place.get_by_text("metrics.csv"))
        assert name == "metrics.csv"
        assert len(content.splitlines()) == len(RunFolder(smoke_run).metrics.read_text().splitlines())


def test_a_run_is_picked_from_a_list_and_from_small_maps(visit, ensemble):
    page = visit(ensemble)
    page.wait_for_selector(SHOWN)
    picker = page.locator("select[data-param=run]")
    assert picker.locator("option").all_text_contents() == ["mean of 2 seeds", "seed 0", "seed 1"]
    small = page.locator(f"{SHOWN} [class*=small_maps_]")
    assert small.count() == 3
    errors = page.locator("#errors")
    assert "interval over seeds" in errors.text_content()
    small.nth(2).locator("path").first.click()
    assert picker.input_value() == "seed 1"
    assert "one standard error of the random draws" in errors.text_content()
    picker.select_option("mean of 2 seeds")
    assert "interval over seeds" in errors.text_content()
    picker.select_option("seed 0")
    assert picker.input_value() == "seed 0"
    assert "one standard error of the random draws" in errors.text_content()


def test_without_scripts_and_on_paper_static_figures_stand_in(visit, smoke_run):
    page = visit(RunFolder(smoke_run).report, java_script_enabled=False)
    assert page.locator("#moving .still img").is_visible()
    assert page.locator("#chart").is_hidden()
    assert page.locator(".controls").is_hidden()
    page = visit(RunFolder(smoke_run).report)
    page.wait_for_selector(SHOWN)
    page.emulate_media(media="print")
    assert page.locator("#moving .still img").is_visible()
    assert page.locator("#chart").is_hidden()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_nothing_keeps_anybody_out(visit, smoke_run, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = visit(RunFolder(smoke_run).report, width, color_scheme=scheme, bypass_csp=True)
    page.wait_for_selector(SHOWN)
    found = axe.Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []
