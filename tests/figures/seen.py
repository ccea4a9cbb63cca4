"""What a reader would complain about in a drawn figure: text that is cut or lies on other text."""

import itertools
import math

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

# Pixels, of 72 an inch: boxes are a little larger than their letters.
SLACK = 2


def _ticks(figure):
    """Tick labels -> (their axis, place on it); None for those beyond the ends, which are not drawn."""
    found = {}
    for axes in (*figure.axes, *itertools.chain(*(parent.child_axes for parent in figure.axes))):
        for axis, place in ((axes.xaxis, 0), (axes.yaxis, 1)):
            low, high = sorted(axis.get_view_interval())
            margin = 1e-6 * (high - low)
            for label in (*axis.get_majorticklabels(), *axis.get_minorticklabels()):
                inside = low - margin <= label.get_position()[place] <= high + margin
                found[label] = (axis, label.get_position()[place]) if inside and axes.get_visible() else None
    return found


def _shown(artist):
    while artist is not None:
        if not artist.get_visible():
            return False
        artist = getattr(artist, "axes", None) if getattr(artist, "axes", None) is not artist else None
    return True


def texts(figure):
    """Everything that can be read in a figure."""
    ticks = _ticks(figure)
    found = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_fontsize() > 0]
    return [text for text in found if _shown(text) and ticks.get(text, text) is not None]


def complaints(figure):
    """Texts that are cut, or overlap others: sentences, none for a good figure."""
    # Of SVG: where axes put their labels when they were drawn.
    figure.dpi = 72
    renderer = FigureCanvasAgg(figure).get_renderer()
    ticks, read = _ticks(figure), texts(figure)
    boxes = {text: text.get_window_extent(renderer) for text in read}
    found = []
    for text, box in boxes.items():
        if min(box.x0, box.y0) < -SLACK or box.x1 > figure.bbox.x1 + SLACK or box.y1 > figure.bbox.y1 + SLACK:
            found.append(f"{text.get_text()!r} is cut")
    for one, other in itertools.combinations(read, 2):
        boxes_of = boxes[one], boxes[other]
        both = ticks.get(one), ticks.get(other)
        if all(both) and both[0][0] is both[1][0] and one.get_rotation() % 180:
            # Boxes of slanted words overlap where the words do not: what counts is the space between the lines.
            first, second = (text.get_transform().transform(text.get_position()) for text in (one, other))
            apart = math.hypot(*(first - second))
            if apart * math.sin(math.radians(one.get_rotation())) < one.get_fontsize() * figure.dpi / 72:
                found.append(f"{one.get_text()!r} lies on {other.get_text()!r}")
        elif all(min(first[1], second[1]) - max(first[0], second[0]) > SLACK for first, second in _spans(*boxes_of)):
            found.append(f"{one.get_text()!r} lies on {other.get_text()!r}")
    return found


def _spans(first, second):
    return ((first.x0, first.x1), (second.x0, second.x1)), ((first.y0, first.y1), (second.y0, second.y1))
