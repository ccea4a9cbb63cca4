"""What people wrote for docs/results.md, in Markdown files beside this one; a section a claim, or a study."""

import pathlib
import re


def sections(name: str) -> dict[str, list[str]]:
    """Heading of the second level -> paragraphs, each as one line, of a file beside this one; in its order.

    Raises ValueError for a heading that stands twice, or has nothing below it.
    """
    text = (pathlib.Path(__file__).parent / name).read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    for heading, body in re.findall(r"^## (.+)\n((?:(?!## ).*\n?)*)", text, re.MULTILINE):
        paragraphs = [" ".join(one.split()) for one in body.strip().split("\n\n")]
        if heading in found or not paragraphs[0]:
            raise ValueError(f"expected one section {heading!r} in {name}, with a paragraph, got another or none")
        found[heading] = paragraphs
    return found
