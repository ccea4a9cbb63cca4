"""What a page looks like to a browser: headless Chromium, without a driver."""

import json
import pathlib
import re
import shutil
import subprocess

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Nothing but the page: no first-run pages, no calls home.
QUIET = (
    *("--headless", "--no-sandbox", "--no-first-run", "--hide-scrollbars"),
    *(f"--disable-{what}" for what in ("gpu", "quic", "sync", "background-networking", "component-update")),
)
# Put in front of everything else of the page: what goes wrong while it loads.
WATCH = """<script>
window.problems = [];
addEventListener("error", (event) => problems.push(String(event.message || event.target.tagName)), true);
addEventListener("unhandledrejection", (event) => problems.push(String(event.reason)));
addEventListener("securitypolicyviolation", (event) => problems.push(event.violatedDirective));
console.error = console.warn = (...words) => problems.push(words.join(" "));
</script>"""
PROBE = pathlib.Path(__file__).with_name("probe.js")


def executable() -> str | None:
    """Path of Chromium, if there is one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def run(folder: pathlib.Path, *flags: str) -> str:
    """Starts Chromium with a profile of its own in a folder; returns what it prints."""
    command = [executable(), *QUIET, f"--user-data-dir={folder / 'profile'}", *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def probe(page: pathlib.Path, folder: pathlib.Path, widths: tuple[int, ...], *, dark: bool = False) -> dict[int, dict]:
    """Opens a page in frames of several widths: width -> what `probe.js` finds out."""
    text = page.read_text(encoding="utf-8").replace("<head>", f"<head>{WATCH}", 1)
    # A script element ends at the first closing tag, even one inside a string.
    content = json.dumps({"page": text, "widths": widths}).replace("</", "<\\/")
    outer = folder / "frames.html"
    script = PROBE.read_text(encoding="utf-8")
    outer.write_text(f"<body><script>const given = {content};\n{script}</script></body>", encoding="utf-8")
    scheme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    dom = run(folder, *scheme, "--window-size=1400,1000", "--virtual-time-budget=20000", "--dump-dom", outer.as_uri())
    found = re.search(r'<pre id="found">(.*?)</pre>', dom, flags=re.DOTALL)
    assert found, dom[-2000:]
    plain = found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return {int(width): findings for width, findings in json.loads(plain).items()}
