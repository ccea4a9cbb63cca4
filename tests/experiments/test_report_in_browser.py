"""The report as a browser shows it."""

import pytest

from memorize_jax.runs.folder import RunFolder
from tests.experiments import chromium

pytestmark = pytest.mark.skipif(chromium.executable() is None, reason="no Chromium on the PATH")
PHONE, LAPTOP = 390, 1280


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_is_sound_on_a_phone_and_on_a_laptop(smoke_run, tmp_path, dark):
    found = chromium.probe(RunFolder(smoke_run).report, tmp_path, (PHONE, LAPTOP), dark=dark)
    for width, own in found.items():
        assert own["width"] == width
        assert own["problems"] == []
        assert own["outside"] == []
        assert own["overflow"] <= 0
        assert own["wide"] == []
        assert own["images"] > 10
        assert own["undecoded"] == own["withoutText"] == 0
        assert own["sorting"]["tables"] >= 6
        assert own["sorting"]["wrong"] == []
        assert own["keyboard"]
        assert own["contrast"]["ratio"] >= 4.5, own["contrast"]
        assert own["background"] == ("rgb(20, 24, 31)" if dark else "rgb(255, 255, 255)")
    assert found[LAPTOP]["cutTables"] == []


def test_the_page_prints(smoke_run, tmp_path):
    paper = tmp_path / "report.pdf"
    flags = ("--no-pdf-header-footer", f"--print-to-pdf={paper}")
    chromium.run(tmp_path, *flags, RunFolder(smoke_run).report.as_uri())
    content = paper.read_bytes()
    assert content.startswith(b"%PDF")
    # Everything is unfolded: claims, figures and tables have pages of their own.
    assert content.count(b"/Type /Page\n") + content.count(b"/Type /Page ") > 8


def test_the_probe_finds_what_is_wrong(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        "<html><head></head><body style='color: #999'>pale<div style='width: 900px'>wide</div>"
        "<img src='data:image/svg+xml;base64,AAAA'><script>missing()</script></body></html>"
    )
    found = chromium.probe(page, tmp_path, (PHONE,))[PHONE]
    assert found["contrast"]["ratio"] < 3
    assert found["overflow"] > 500
    assert found["wide"]
    assert found["undecoded"] == found["withoutText"] == 1
    assert any("missing" in problem for problem in found["problems"])
