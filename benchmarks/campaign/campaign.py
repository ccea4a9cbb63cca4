"""The campaign itself: one step after the other, in the minutes there are."""

import pathlib
import time

from benchmarks.campaign import results
from benchmarks.campaign.step import STEPS
from benchmarks.campaign.supervisor import Supervisor

# A step may take so many times what was estimated; of a rehearsal on cores that others use, more.
PATIENCE, PATIENCE_REHEARSING = 3.0, 10.0
# Of a rehearsal, any step.
TINY_SECONDS = 20.0


def campaign(out: pathlib.Path, *, minutes: float, rehearse: bool, names: list[str] | None = None) -> list[str]:
    """Measures what has not been; returns the names of the steps for which there was no time.

    Raises:
      ValueError: unknown names; no accelerator, without `rehearse`.
    """
    if unknown := set(names or ()) - {step.name for step in STEPS}:
        known = ", ".join(step.name for step in STEPS)
        raise ValueError(f"expected steps out of {known}, got {', '.join(sorted(unknown))}")
    finished = results.done(results.read(out), rehearse=rehearse)
    wanted = [step for step in STEPS if step.name not in finished and (not names or step.name in names)]
    end, left = time.perf_counter() + 60 * minutes, []
    supervisor = Supervisor(out.parent, rehearse=rehearse)
    try:
        for step in wanted:
            estimate, remaining = TINY_SECONDS if rehearse else step.seconds, end - time.perf_counter()
            if estimate > remaining:
                left.append(step.name)
                continue
            print(f"{step.name}: about {estimate:.0f} s, {remaining:.0f} s left", flush=True)
            allowed = estimate * (PATIENCE_REHEARSING if rehearse else PATIENCE)
            found = supervisor.ask(step.name, min(allowed, remaining))
            if found["state"] == "no accelerator":
                raise ValueError(f"{found['error']}; --rehearse measures tiny sizes on a processor")
            results.append(out, {"step": step.name, "rehearsal": rehearse, **found})
            print(f"  {found['state']} after {found['seconds']:.0f} s {found.get('error', '')}", flush=True)
    finally:
        supervisor.close()
    return left
