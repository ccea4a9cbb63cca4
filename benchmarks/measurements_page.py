"""Writes docs/measurements.md from the registry of measurements.

python -m benchmarks.measurements_page
"""

from benchmarks.document import ROOT
from memorize_jax.report.index import index

PAGE = ROOT / "docs" / "measurements.md"
HEAD = """# Measurements

Every measurement, as the registry has it: its settings, which are flags of its command, its tables, figures and statements.
[How to add one](add-a-measurement.md). This page is written by `python -m benchmarks.measurements_page`.

"""


def page() -> str:
    """The whole page."""
    return HEAD + index()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
