"""Results of the campaign: a file with one line of JSON for each step that was tried, and the tables made of it."""

import json
import pathlib
from typing import Any

from benchmarks.campaign.step import STEPS
from benchmarks.tables import table

Result = dict[str, Any]


def append(path: pathlib.Path, result: Result) -> None:
    """Adds a line, on the disk before the next step begins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(result) + "\n")


def read(path: pathlib.Path) -> list[Result]:
    """All lines; a last one that was cut off is left out, any other damage is a ValueError."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    lines = text.split("\n")
    found = []
    for number, line in enumerate(lines[:-1], 1):
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}: expected JSON in line {number}, got {line[:40]!r}") from error
    if lines[-1]:
        # Cut off while it was written: the next line must not be glued to it.
        path.write_text(text[: len(text) - len(lines[-1])], encoding="utf-8")
    return found


def done(results: list[Result], *, rehearse: bool) -> set[str]:
    """Names of the steps that need not be tried again."""
    return {one["step"] for one in results if one["state"] == "done" and one["rehearsal"] == rehearse}


def page(results: list[Result]) -> str:
    """The tables of all sections, and what did not succeed; Markdown.

    Raises:
      ValueError: nothing was measured, or results of a rehearsal, which are of a processor.
    """
    if any(one["rehearsal"] for one in results):
        raise ValueError("expected results of an accelerator, got those of a rehearsal; give another --out")
    # Of a step that was tried again the last counts.
    latest = {one["step"]: one for one in results}
    measured = {name: one for name, one in latest.items() if one["state"] == "done"}
    if not measured:
        raise ValueError("expected results, got none; run python -m benchmarks.accelerator first")
    texts = [_provenance(list(measured.values()))]
    for section in dict.fromkeys(step.section for step in STEPS):
        own = [measured[step.name] for step in STEPS if step.section == section and step.name in measured]
        if records := [record for one in own for record in one["records"]]:
            texts.append(f"### {section}\n\n{table(_aligned(records))}\n")
    missing = [step.name for step in STEPS if step.name not in latest]
    failed = [f"{name} ({one['state']}: {one['error']})" for name, one in latest.items() if one["state"] != "done"]
    for what, names in (("Not tried", missing), ("Did not succeed", failed)):
        if names:
            texts.append(f"{what}: {'; '.join(names)}.\n")
    return "\n".join(texts)


def _aligned(records):
    """The same columns in all rows."""
    columns = list(dict.fromkeys(name for record in records for name in record))
    return [{name: record.get(name) for name in columns} for record in records]


def _provenance(results):
    made = [one["made"] for one in results]
    devices, commits = (" and ".join(dict.fromkeys(own[name] for own in made)) for name in ("device", "commit"))
    packages = ", ".join(f"{name} {version}" for name, version in made[-1]["packages"].items())
    return f"""Measured on {devices}; commit {commits}; {packages}. Made by

```sh
python -m benchmarks.accelerator --minutes=25
python -m benchmarks.accelerator --write
```
"""
