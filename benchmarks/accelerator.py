"""Everything that wants an accelerator, the most valuable first, in the minutes there are.

    python -m benchmarks.accelerator --minutes=25      # measures; again with the same --out it goes on
    python -m benchmarks.accelerator --write           # what was measured, into docs/performance.md
    python -m benchmarks.accelerator --rehearse        # tiny sizes on a processor, three minutes

Each result is a line of --out as soon as it is there. A step that fails, or runs out of memory or time, is noted, and the
next one goes on; a step that the time left is too short for is left out and named. What was done is not done again.
"""

import pathlib

from absl import app, flags

from benchmarks import document
from benchmarks.campaign import results
from benchmarks.campaign.campaign import campaign

MODULE = "benchmarks.accelerator"
FLAGS = flags.FLAGS
flags.DEFINE_float("minutes", 25.0, "time for all steps; none that may not fit is begun", lower_bound=0.0)
flags.DEFINE_string("out", None, "file of results; runs/accelerator/results.jsonl, or runs/rehearsal/results.jsonl")
flags.DEFINE_list("steps", None, "names of some steps; all if not given")
flags.DEFINE_bool("rehearse", False, "tiny sizes, on whatever there is; such numbers are never written into the docs")
flags.DEFINE_bool("write", False, "write the tables of --out into docs/performance.md and measure nothing")


def main(argv: list[str]) -> None:
    """Measures, or writes."""
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    out = pathlib.Path(FLAGS.out or f"runs/{'rehearsal' if FLAGS.rehearse else 'accelerator'}/results.jsonl")
    try:
        if FLAGS.write:
            document.write(MODULE, results.page(results.read(out)))
            return
        left = campaign(out, minutes=FLAGS.minutes, rehearse=FLAGS.rehearse, names=FLAGS.steps)
    except ValueError as error:
        raise SystemExit(str(error)) from error
    if left:
        print(f"no time was left for: {', '.join(left)}")
    print(f"results: {out}")


if __name__ == "__main__":
    app.run(main)
