"""Records the moving picture of a report as an animated PNG: docs/report.png of the README.

    python -m website.moving_picture runs/digits/report.html

Needs Chromium on the PATH, and playwright: pip install playwright.
"""

import io
import pathlib
import shutil
import sys

from PIL import Image

TARGET = pathlib.Path(__file__).parent.parent / "docs" / "report.png"
# On the page: the section to be seen, its slider, and the chart that it moves.
SECTION, SLIDER, CHART = "#moving", "#moving input[type=range]", "#chart svg"
WIDTH, HEIGHT, MARGIN = 1200, 760, 12
# Milliseconds that an epoch, and the last one, is seen.
FRAME, LAST = 350, 2500
COLORS = 256


def record(report: pathlib.Path) -> list[Image.Image]:
    """What a reader sees at every place of the slider, in order; raises ValueError if the page has no slider."""
    # Here, for what is done with the pictures needs no browser.
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with (
        sync_playwright() as started,
        started.chromium.launch(executable_path=chromium, args=["--no-sandbox"]) as browser,
    ):
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, reduced_motion="reduce")
        page.goto(report.absolute().as_uri())
        if not page.locator(SLIDER).count():
            raise ValueError(
                f"expected a slider of epochs on {report}, got none; measure the geometry at several epochs"
            )
        page.wait_for_selector(CHART)
        section, chart = (page.locator(place).bounding_box() or {} for place in (SECTION, CHART))
        # From the controls to the end of the chart, without the text below.
        height = chart["y"] + chart["height"] + MARGIN - section["y"]
        part = {"x": section["x"], "y": section["y"], "width": section["width"], "height": height}
        slider, pictures = page.locator(SLIDER), []
        for step in range(int(slider.get_attribute("max") or 0) + 1):
            slider.fill(str(step))
            slider.blur()
            page.wait_for_timeout(150)
            pictures.append(Image.open(io.BytesIO(page.screenshot(full_page=True, clip=part))))
    return pictures


def write(pictures: list[Image.Image], target: pathlib.Path) -> None:
    """Writes an animated PNG in few colors, the same for all frames."""
    whole = [one.convert("RGB") for one in pictures]
    width, height = whole[0].size
    together = Image.new("RGB", (width, height * len(whole)))
    for place, one in enumerate(whole):
        together.paste(one, (0, place * height))
    palette = together.quantize(COLORS, dither=Image.Dither.NONE)
    frames = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in whole]
    times = [FRAME] * (len(frames) - 1) + [LAST]
    frames[0].save(target, save_all=True, append_images=frames[1:], duration=times, loop=0, optimize=True)


if __name__ == "__main__":
    write(record(pathlib.Path(sys.argv[1])), TARGET)
