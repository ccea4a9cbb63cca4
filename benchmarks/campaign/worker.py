"""The process that measures: takes names of steps on standard input, answers with one line of JSON for each.

    python -m benchmarks.campaign.worker DESCRIPTOR WORKDIR [rehearse]

DESCRIPTOR is the file descriptor of the answers: what measurements print goes elsewhere. After a step that failed it
ends, for what is left of the step may hold memory.
"""

import importlib
import json
import os
import pathlib
import sys
import traceback
from typing import Any

from benchmarks.campaign.step import STEPS, Step


def answer_to(step: Step, workdir: pathlib.Path, *, rehearse: bool) -> dict[str, Any]:
    """Runs a step; its records, or why there are none."""
    from memorize_jax.runs.provenance import provenance

    made = provenance()
    if not rehearse and "cpu" in made["device"].lower():
        return {"state": "no accelerator", "error": f"expected an accelerator, got {made['device']}", "made": made}
    module, _, function = step.function.partition(":")
    try:
        measure = getattr(importlib.import_module(f"benchmarks.campaign.{module}"), function)
        return {"state": "done", "records": measure(workdir, **step.settings(rehearse=rehearse)), "made": made}
    except Exception as error:
        traceback.print_exc()
        told = f"{type(error).__name__}: {error}"
        state = "out of memory" if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in told else "failed"
        return {"state": state, "error": told[:500], "made": made}


def main() -> None:
    """Answers until there are no more names, or a step has failed."""
    descriptor, workdir, rehearse = int(sys.argv[1]), pathlib.Path(sys.argv[2]), "rehearse" in sys.argv[3:]
    steps = {step.name: step for step in STEPS}
    with os.fdopen(descriptor, "w") as answers:
        for line in sys.stdin:
            found = answer_to(steps[line.strip()], workdir, rehearse=rehearse)
            print(json.dumps(found, default=_plain), file=answers, flush=True)
            if found["state"] != "done":
                return


def _plain(value: Any) -> Any:
    """A number of NumPy or JAX as JSON has it."""
    return value.item()


if __name__ == "__main__":
    main()
