"""What MkDocs calls while it builds the site: pages that are made of other files, and links between them."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).parent.parent
# MkDocs loads this file by its path, and the rest of this package is found from the root.
sys.path.insert(0, str(ROOT))

from mkdocs.structure.files import File

from website import gallery, links, reference

# Place on the site -> place in the repository, of pages that are not written in docs/ or not in that place.
ORIGINS = {place: file for file, place in links.OF_ROOT.items()}
# What a file's ending calls its language.
LANGUAGES = {".py": "python", ".toml": "toml", ".cff": "yaml", ".yml": "yaml", ".txt": "text", ".csv": "text"}


def on_config(config):
    """Lists the packages of the reference in the navigation."""
    for section in config.nav:
        if "Reference" in section:
            section["Reference"] += [{package: reference.package_uri(package)} for package in reference.shown()]
    return config


def on_files(files, config):
    """Adds the pages that are not in docs/."""
    made = {place: (ROOT / file).read_text(encoding="utf-8") for place, file in ORIGINS.items()}
    made |= dict(reference.pages())
    made["assets/javascripts/iframe-worker.js"] = (ROOT / "website" / "iframe_worker.js").read_text(encoding="utf-8")
    made["gallery.md"] = gallery.page((ROOT / "docs" / "results.md").read_text(encoding="utf-8"))
    written = {f"docs/{file.src_uri}": file.content_string for file in files.documentation_pages()}
    linked = {file: made[place] for place, file in ORIGINS.items()} | written
    for origin, text in linked.items():
        for path in links.outside(text, origin):
            made[links.on_site(path)] = _source(path)
    for place, text in made.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Has links lead to where their targets are on the site."""
    place = page.file.src_uri
    if place.startswith(("reference/", "source/")) or place == "gallery.md":
        return markdown
    return links.rewritten(markdown, ORIGINS.get(place, f"docs/{place}"), place)


def _source(path):
    file = ROOT / path
    if not file.is_file():
        raise FileNotFoundError(f"expected a file of the repository behind a link, got {path}")
    text = file.read_text(encoding="utf-8")
    language = LANGUAGES.get(file.suffix, "text")
    return f"---\nsearch:\n  exclude: true\n---\n\n# {path}\n\n````{language}\n{text}\n````\n"
