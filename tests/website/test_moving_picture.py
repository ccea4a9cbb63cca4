import shutil

import numpy as np
import PIL.Image
import pytest

from website import moving_picture

PAGE = """<section id="moving">
<input type="range" min="0" max="2" value="2" oninput="show()">
<div id="chart"><svg width="90" height="90"><rect id="r" width="90" height="90" fill="#00f"></rect></svg></div>
</section>
<script>const show = () => document.getElementById("r").setAttribute("fill",
["#f00", "#0f0", "#00f"][document.querySelector("input").value]);</script>"""


def square(color):
    return PIL.Image.fromarray(np.full((8, 8, 3), color, np.uint8))


def test_every_frame_is_there_and_the_last_one_stays(tmp_path):
    moving_picture.write([square((250, 0, 0)), square((0, 250, 0)), square((250, 0, 0))], tmp_path / "a.png")
    with PIL.Image.open(tmp_path / "a.png") as found:
        assert (found.n_frames, found.info["loop"]) == (3, 0)
        times = []
        for place in range(3):
            found.seek(place)
            times.append(found.info["duration"])
    assert times == [moving_picture.FRAME, moving_picture.FRAME, moving_picture.LAST]


@pytest.mark.skipif(not (shutil.which("chromium") or shutil.which("google-chrome")), reason="no Chromium on the PATH")
def test_what_is_seen_at_every_place_of_the_slider(tmp_path):
    pytest.importorskip("playwright")
    (tmp_path / "report.html").write_text(PAGE)
    pictures = moving_picture.record(tmp_path / "report.html")
    colors = [max(one.convert("RGB").crop((0, 30, 90, 110)).getcolors())[1] for one in pictures]
    assert colors == [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    (tmp_path / "report.html").write_text("<p>nothing moves</p>")
    with pytest.raises(ValueError, match=r"expected a slider of epochs on .*report\.html, got none"):
        moving_picture.record(tmp_path / "report.html")
