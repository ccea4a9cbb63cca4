import html.parser
import importlib.util
import os
import pathlib
import urllib.parse
from typing import NamedTuple

import pytest

from tests.commands import python


class Page(NamedTuple):
    """A page of the built site: where it leads (file, anchor), which anchors it has, what it loads, what it says."""

    links: list[tuple[pathlib.Path, str]]
    anchors: set[str]
    loaded: list[str]
    text: str


# Attributes that make a browser load something.
LOADING = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.hrefs, self.anchors, self.loaded, self.words, self.silent = [], set(), [], [], 0

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.anchors.update(filter(None, (given.get("id"), given.get("name") if tag == "a" else None)))
        if tag == "a" and given.get("href"):
            self.hrefs.append(given["href"])
        if given.get(LOADING.get(tag, "")):
            self.loaded.append(given[LOADING[tag]])
        self.silent += tag in ("script", "style")

    def handle_endtag(self, tag):
        self.silent -= tag in ("script", "style")

    def handle_data(self, data):
        if not self.silent:
            self.words.append(data)


def read_page(file):
    reader = Reader()
    reader.feed(file.read_text(encoding="utf-8"))
    links = []
    for href in reader.hrefs:
        there = urllib.parse.urlsplit(href)
        if not there.scheme and not there.netloc:
            target = (file.parent / urllib.parse.unquote(there.path)).resolve() if there.path else file
            links.append((target, urllib.parse.unquote(there.fragment)))
    return Page(links, reader.anchors, reader.loaded, " ".join("".join(reader.words).split()))


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the built site; SITE names one that was built before."""
    if made := os.environ.get("SITE"):
        return pathlib.Path(made).resolve()
    if not all(importlib.util.find_spec(name) for name in ("mkdocs", "material", "mkdocstrings")):
        pytest.skip("needs MkDocs: pip install '.[docs]'")
    folder = tmp_path_factory.mktemp("site") / "site"
    done = python("-m", "website", "--quiet", f"--site-dir={folder}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder.resolve()


@pytest.fixture(scope="session")
def pages(site):
    """File -> Page, of the whole site."""
    own = [file for file in site.rglob("*.html") if file.name != "404.html" and file.parent.name != "reports"]
    return {file: read_page(file) for file in own}
