"""The gallery: the pictures of every committed study, taken from the page of results."""

import re

HEAD = """# Gallery

Studies that were run with this package: what they were run for, and their first figures. A click on a name leads to the
study's numbers, settings, claims and the commands that repeat it.

"""
IMAGE = re.compile(r"^!\[.*\]\(.*\)$", re.MULTILINE)


def page(results: str) -> str:
    """The page, from the text of docs/results.md."""
    studies = [section for section in results.split("\n## ")[1:] if IMAGE.search(section)]
    return HEAD + "\n\n".join(map(_study, studies)) + "\n"


def _study(section):
    name, _, text = section.partition("\n")
    about = text.strip().split("\n\n")[0]
    return "\n\n".join([f"## [{name}](results.md#{name})", about, *IMAGE.findall(text)])
