"""Links of Markdown pages between the repository, where they are written, and the site, where they are read."""

import posixpath
import re
from collections.abc import Callable

# Pages of the site that are files at the root of the repository.
OF_ROOT = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
    "SECURITY.md": "security.md",
}
LINK = re.compile(r"(!?\[[^\]]*\]\()([^)#\s]+)(#[^)\s]*)?(\))")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def outside(text: str, origin: str) -> list[str]:
    """Files of the repository that a page links to and that are no part of docs/ and no page of the site.

    Args:
      text: of the page, Markdown.
      origin: its place in the repository.
    """
    found = [_resolved(link, origin) for _, link, *_ in LINK.findall(FENCE.sub("", text)) if _is_file(link)]
    return [path for path in dict.fromkeys(found) if not path.startswith("docs/") and path not in OF_ROOT]


def on_site(path: str) -> str:
    """Where a file of the repository is on the site, as a source within docs/."""
    if path in OF_ROOT:
        return OF_ROOT[path]
    if not path.startswith("docs/"):
        return f"source/{path}.md"
    # A notebook has a page.
    return re.sub(r"\.ipynb$", ".md", path.removeprefix("docs/"))


def rewritten(text: str, origin: str, place: str) -> str:
    """A page whose links lead where their targets are on the site; what stands in fences stays.

    Args:
      text: of the page, Markdown.
      origin: its place in the repository.
      place: its place on the site, within docs/.
    """

    def link(match):
        before, target, anchor, after = match.groups()
        if not _is_file(target):
            return match[0]
        there = posixpath.relpath(on_site(_resolved(target, origin)), posixpath.dirname(place) or ".")
        return f"{before}{there}{anchor or ''}{after}"

    return _outside_fences(text, lambda part: LINK.sub(link, part))


def _is_file(link):
    return "://" not in link and not link.startswith(("mailto:", "/"))


def _resolved(link, origin):
    return posixpath.normpath(posixpath.join(posixpath.dirname(origin), link))


def _outside_fences(text: str, change: Callable[[str], str]) -> str:
    fences = FENCE.findall(text)
    parts = [change(part) for part in FENCE.split(text)]
    return "".join(part + fence for part, fence in zip(parts, [*fences, ""], strict=True))
