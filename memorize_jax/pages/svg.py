"""SVG files made small for a page: the same picture without metadata, long names and digits that nobody sees."""

import itertools
import re
import string
from collections.abc import Iterator
from xml.etree import ElementTree

from memorize_jax.pages.raster import smaller
from memorize_jax.pages.svg_paths import relative

SVG = "http://www.w3.org/2000/svg"
OLD_HREF, HREF = "{http://www.w3.org/1999/xlink}href", "href"
LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}(?:e-?\d+)?")
REFERENCE = re.compile(r"url\(#([^)]+)\)")
SHIFT = re.compile(r"translate\((\S+) 0\)")


def compact(svg: str) -> str:
    """The same picture as a shorter text.

    Numbers keep a hundredth of a point; names that nothing refers to go, others become short; styles that come twice
    and more are written once.
    """
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(svg)
    for metadata in root.findall(f"{{{SVG}}}metadata"):
        root.remove(metadata)
    for node in root.iter():
        if OLD_HREF in node.attrib:
            node.set(HREF, node.attrib.pop(OLD_HREF))
    short = _short_names(root)
    for node in root.iter():
        # No text of a figure is text: letters are drawn.
        node.text, node.tail = (node.text if node.text and node.text.strip() else None), None
        _shorten(node, short)
    _unwrap(root)
    _share_styles(root)
    return ElementTree.tostring(root, encoding="unicode").replace(" />", "/>")


def _short_names(root: ElementTree.Element) -> dict[str, str]:
    attributes = (item for node in root.iter() for item in node.attrib.items())
    used = dict.fromkeys(name for key, value in attributes for name in _referred(key, value))
    return dict(zip(used, _names(), strict=False))


def _referred(key: str, value: str) -> list[str]:
    return [value[1:]] if key == HREF and value.startswith("#") else REFERENCE.findall(value)


def _names() -> Iterator[str]:
    for length in itertools.count(1):
        yield from ("".join(letters) for letters in itertools.product(string.ascii_letters, repeat=length))


def _shorten(node: ElementTree.Element, short: dict[str, str]) -> None:
    name = node.attrib.pop("id", None)
    for key, value in list(node.attrib.items()):
        if key == HREF and value.startswith("#"):
            node.set(key, f"#{short[value[1:]]}")
        elif key == HREF:
            node.set(key, smaller(value))
        else:
            node.set(key, _shorter(key, value, short))
    if name in short:
        node.set("id", short[name])
    shift = SHIFT.fullmatch(node.get("transform", ""))
    if shift and node.tag == f"{{{SVG}}}use":
        # A letter in a word: `x` is the same shift, of which a unit is a tenth of a point.
        del node.attrib["transform"]
        node.set("x", f"{float(shift[1]):.0f}")


def _shorter(key: str, value: str, short: dict[str, str]) -> str:
    if key == "d":
        return relative(value)
    value = REFERENCE.sub(lambda found: f"url(#{short[found[1]]})", value)
    value = LONG_NUMBER.sub(lambda found: f"{float(found[0]):.5g}", value)
    return re.sub(r"\s*([:;])\s*", r"\1", value) if key == "style" else value


def _unwrap(node: ElementTree.Element) -> None:
    """Puts what stands in groups without any attribute in their place."""
    for child in node:
        _unwrap(child)
    parts = [list(child) if child.tag == f"{{{SVG}}}g" and not child.attrib else [child] for child in node]
    node[:] = itertools.chain.from_iterable(parts)


def _share_styles(root: ElementTree.Element) -> None:
    """Styles that stand at several places become classes."""
    styled = [node for node in root.iter() if "style" in node.attrib]
    counts: dict[str, int] = {}
    for node in styled:
        counts[node.attrib["style"]] = counts.get(node.attrib["style"], 0) + 1
    shared = dict(zip((style for style, count in counts.items() if count > 1), _names(), strict=False))
    for node in styled:
        if node.attrib["style"] in shared:
            node.set("class", shared[node.attrib.pop("style")])
    sheet = ElementTree.Element(f"{{{SVG}}}style")
    sheet.text = "".join(f".{name}{{{style}}}" for style, name in shared.items())
    if shared:
        root.insert(0, sheet)
