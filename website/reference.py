"""Pages of the reference: one for every public name, one for every package, and one that lists them all."""

from collections.abc import Iterator

from website.names import Public, packages, public_names, summary

HEAD = """# Reference

Every public name, with what it does; each has a page, made of its docstring. What is not here is internal and may
change without notice.

"""
VERSION = "The version of the installed package, as text. Between releases it names the commit."


def uri(one: Public) -> str:
    """Where the page of a public name is, within docs/; a package that is itself published has its package's page."""
    if one.is_module:
        return package_uri(one.path)
    return f"reference/{one.package}/{one.name.strip('_')}.md"


def package_uri(package: str) -> str:
    """Where the page of a package is."""
    return f"reference/{package}.md"


def pages() -> Iterator[tuple[str, str]]:
    """(place within docs/, Markdown) of every page."""
    yield "reference/index.md", HEAD + "\n\n".join(map(_section, shown()))
    first = {}
    for package in shown():
        yield package_uri(package), f"# {package}\n\n{_package(package)}"
        for one in public_names(package) if package in packages() else ():
            if not one.is_module:
                yield uri(one), _page(one, first.setdefault(one.path, one))


def shown() -> list[str]:
    """Packages with a page: those that publish names, and those that are published themselves."""
    published = {one.path for package in packages() for one in public_names(package) if one.is_module}
    return sorted({*packages(), *published})


def _package(package):
    # Its own docstring, whose examples are blocks that are indented by four.
    options = ("members: []", "show_root_heading: false", "show_root_toc_entry: false")
    text = "\n      ".join([f"::: {package}\n    options:", *options]) + "\n"
    return f"{text}\n{_table(package)}" if package in packages() else text


def _section(package):
    return f"## [{package}]({package}.md)\n\n{_first(summary(package))}\n\n{_table(package)}"


def _table(package):
    if package not in packages():
        return ""
    link = lambda one: f"[`{one.name}`]({uri(one).removeprefix('reference/')})"
    rows = [(link(one), _first(_about(one))) for one in public_names(package)]
    return "\n".join(["| name | what |", "|---|---|", *(f"| {name} | {about} |" for name, about in rows)])


def _about(one):
    return VERSION if one.name == "__version__" else summary(one.path)


def _first(text):
    """The first sentence, within a cell of a table."""
    return text.partition(". ")[0].rstrip(".:").replace("|", "\\|")


def _page(one, first):
    """The page of a name; what two packages publish is described where it is published first."""
    name = f"{one.package}.{one.name}"
    # In a search for what guides explain, they come first.
    front = f"---\ntitle: {name}\nsearch:\n  boost: 0.1\n---\n"
    if one.name == "__version__":
        return f"{front}\n# `{name}`\n\n{VERSION}\n"
    if one != first:
        same = f"[`{first.package}.{first.name}`](../{uri(first).removeprefix('reference/')})"
        return f"{front}\n# {name}\n\n{_first(_about(one))}.\n\nThe same as {same}.\n"
    return f"{front}\n::: {one.path}\n    options:\n      heading: {name}\n      toc_label: {one.name}\n"
