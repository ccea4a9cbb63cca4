"""The search of a site that is read from the disk."""

import shutil

import pytest

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium on the PATH")
def test_it_works_without_a_server_and_a_network(site):
    asked = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: asked.append(f"error: {error}"))
        page.goto((site / "index.html").as_uri())
        page.locator("input[name=query]").click()
        page.keyboard.type("ball_capacity")
        link = page.locator(".md-search-result__link").first
        link.wait_for()
        assert "reference/memorize_jax.geometry/ball_capacity.html" in link.get_attribute("href")
        browser.close()
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:"))] == []
