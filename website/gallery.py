"""The gallery: the pictures of every committed study, taken from the page of results."""

import re
from collections.abc import Collection

HEAD = """# Gallery

Studies that were run with this package: what they were run for, and their first figures. A click on a name leads to the
study's numbers, settings, claims and the commands that repeat it.

"""
IMAGE = re.compile(r"^!\[.*\]\(.*\)$", re.MULTILINE)
# Links within the page of results; a study without pictures has no place in the gallery.
WITHIN = re.compile(r"\]\(#")


def page(results: str, reports: Collection[str] = ()) -> str:
    """The page, from the text of docs/results.md and the names of the studies whose reports are on the site."""
    studies = [section for section in results.split("\n## ")[1:] if IMAGE.search(section)]
    return HEAD + "\n\n".join(_study(section, reports) for section in studies) + "\n"


def _study(section, reports):
    name, _, text = section.partition("\n")
    about = WITHIN.sub("](results.md#", text.strip().split("\n\n")[0])
    if name in reports:
        about += f' <a href="reports/{name}.html">Its report</a>, a page to explore.'
    return "\n\n".join([f"## [{name}](results.md#{name})", about, *IMAGE.findall(text)])
