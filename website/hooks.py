"""What MkDocs calls while it builds the site: pages that are made of other files, and links between them."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).parent.parent
# MkDocs loads this file by its path, and the rest of this package is found from the root.
sys.path.insert(0, str(ROOT))

from mkdocs.structure.files import File

from website import gallery, links, notebook, reference

NOTEBOOKS = sorted((ROOT / "docs" / "tutorial").glob("*.ipynb"))
# Place on the site -> place in the repository, of pages that are another file's text.
OF_ROOT = {place: file for file, place in links.OF_ROOT.items()}
ORIGINS = {**OF_ROOT, **{f"tutorial/{path.stem}.md": f"docs/tutorial/{path.name}" for path in NOTEBOOKS}}
# What a file's ending calls its language.
LANGUAGES = {".py": "python", ".toml": "toml", ".cff": "yaml", ".yml": "yaml"}


def on_config(config):
    """Lists the packages of the reference in the navigation."""
    for section in config.nav:
        if "Reference" in section:
            section["Reference"] += [{package: reference.package_uri(package)} for package in reference.shown()]
    return config


def on_files(files, config):
    """Adds the pages that are not in docs/."""
    made = {place: _text(file) for place, file in OF_ROOT.items()}
    made["index.md"] = "---\nhide: [navigation]\n---\n\n" + made["index.md"]
    made |= {f"tutorial/{path.stem}.md": notebook.page(path) for path in NOTEBOOKS}
    linked = {f"docs/{file.src_uri}": file.content_string for file in files.documentation_pages()}
    linked |= {ORIGINS[place]: text for place, text in made.items()}
    for origin, text in linked.items():
        made |= {links.on_site(path): _source(path) for path in links.outside(text, origin)}
    made |= dict(reference.pages())
    reports = {path.stem: path for path in sorted((ROOT / "build" / "reports").glob("*.html"))}
    made["gallery.md"] = gallery.page(_text("docs/results.md"), reports)
    for name, path in reports.items():
        files.append(File.generated(config, f"reports/{name}.html", abs_src_path=str(path)))
    made["assets/javascripts/iframe-worker.js"] = _text("website/iframe_worker.js")
    for place, text in made.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Has links lead to where their targets are on the site."""
    place = page.file.src_uri
    if place.startswith(("reference/", "source/")) or place == "gallery.md":
        return markdown
    return links.rewritten(markdown, ORIGINS.get(place, f"docs/{place}"), place)


def _text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def _source(path):
    if not (ROOT / path).is_file():
        raise FileNotFoundError(f"expected a file of the repository behind a link, got {path}")
    language = LANGUAGES.get((ROOT / path).suffix, "text")
    return f"---\nsearch:\n  exclude: true\n---\n\n# {path}\n\n````{language}\n{_text(path)}\n````\n"
