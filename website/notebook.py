"""A notebook as a page: its text and its code."""

import json
import pathlib


def page(path: pathlib.Path) -> str:
    """The page of a notebook, as Markdown, which leads to the notebook itself."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    title, *rest = map(_cell, cells)
    return "\n\n".join([title, f'<a href="{path.name}" download>The notebook</a>, to open in Jupyter.', *rest]) + "\n"


def _cell(cell):
    text = "".join(cell["source"])
    return text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```"
