"""Paths of SVG written short: every point as the step from the one before."""

import re
from collections.abc import Iterator

# Commands of matplotlib's paths -> how many numbers each takes.
COMMANDS = {"M": 2, "L": 2, "Q": 4, "C": 6, "z": 0}
# Numbers are whole multiples of this part of a unit, so that steps add up to the point they lead to.
PARTS = 100


def relative(path: str) -> str:
    """The path in relative commands, rounded to hundredths; one with commands other than matplotlib's as it is."""
    words = path.split()
    if not {word for word in words if word.isalpha()} <= COMMANDS.keys():
        return path
    return "".join(_steps(words))


def _steps(words: list[str]) -> Iterator[str]:
    here, start, place = (0, 0), (0, 0), 0
    last = ""
    while place < len(words):
        command = words[place]
        count = COMMANDS[command]
        numbers = [round(PARTS * float(word)) for word in words[place + 1 : place + 1 + count]]
        place += 1 + count
        if command == "z":
            here = start
            yield "z"
        else:
            points = [(x, y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
            steps = [number - here[index % 2] for index, number in enumerate(numbers)]
            here = points[-1]
            start = here if command == "M" else start
            # The same command again needs no letter, but for "m", after which a pair is a line.
            yield _joined("" if command == last and command != "M" else command.lower(), steps)
        last = command


def _joined(command: str, steps: list[int]) -> str:
    text = command
    for step in steps:
        number = _short(step)
        is_first = text == command and command
        text += number if is_first or number.startswith("-") else f" {number}"
    return text


def _short(hundredths: int) -> str:
    text = f"{hundredths / PARTS:.2f}".rstrip("0").rstrip(".")
    text = re.sub(r"^(-?)0\.", r"\1.", text)
    return "0" if text in ("-0", "", "-") else text
