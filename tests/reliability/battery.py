"""Strikes small runs at random moments, damages their files, and counts what was lost.

    python -m tests.reliability.battery --kills=20 --seed=0

Prints one line per disturbed run and, at the end, the table of docs/reliability.md. Ends with an error if a single
byte differs.
"""

import argparse
import pathlib
import random
import re
import shutil
import signal
import tempfile

from tests.commands import python
from tests.reliability.damage import damage_all
from tests.reliability.outcome import differences, outcome, outcome_of_all

RUN = ("--dataset=digits", "--width=16", "--batch_size=256", "--learning_rate=3e-3", "--epochs=30", "--stop_accuracy=1")
MEASURE = ("--geometry_epochs=0,3,7,11,final", "--examples_per_class=10", "--num_draws=20", "--num_center_components=1")
REWIND = ("--rewind_epochs=0,3,7,11,final",)
LEDGER = ("--gradient_epochs=0,3,7,11,final",)
PROBES = ("--decoding_epochs=0,3,final", "--decoding_dynamics=2", "--probe_examples=100")
# Many runs from one command; each is struck as a whole.
SEEDS = (*RUN, "--epochs=12", "--seeds=0-2")
MANY = {
    "ensemble": ("experiments.train", SEEDS),
    "ensemble as one program": ("experiments.train", (*SEEDS, "--together")),
    "sweep": (
        "experiments.sweep",
        (*RUN, "--epochs=8", "--seeds=0-1", "--grid=permuted_fraction=0.25,0.5", *MEASURE, "--geometry_epochs=final"),
    ),
    "widths": (
        "experiments.double_descent",
        (*RUN, "--epochs=8", "--widths=8,16", *MEASURE, "--geometry_epochs=final"),
    ),
}
# Exit codes that a struck process may end with; 0 when it was faster than the signal.
CODES = {"SIGKILL": {-signal.SIGKILL, 0}, "SIGTERM": {143, 0}, "SIGINT": {130, 0}}


def strike_until_done(
    module: str, flags: tuple[str, ...], *, events: int, rng: random.Random, kills: int
) -> tuple[int, list[str]]:
    """Runs an experiment again and again, struck each time, `kills` times at most, and at last in peace.

    Args:
      events: that an undisturbed run of it has.

    Returns:
      (number of strikes that hit, what went wrong).
    """
    hits, problems = 0, []
    for _ in range(kills):
        name = rng.choice(("SIGKILL", "SIGKILL", "SIGKILL", "SIGTERM", "SIGINT"))
        unit, amount = rng.choice((("event", rng.randint(1, max(2, events // 2))), ("seconds", rng.uniform(0, 1.5))))
        done = python("-m", "tests.reliability.victim", name, unit, amount, module, *flags)
        if done.returncode not in CODES[name]:
            problems.append(f"{name} at {unit} {amount}: exit code {done.returncode}: {done.stderr[-500:]}")
        hits += done.returncode != 0
        if done.returncode == 0:
            break
    done = python("-m", module, *flags)
    if done.returncode:
        problems.append(f"{module} did not resume: {done.stderr[-500:]}")
    return hits, problems


def count_events(module: str, flags: tuple[str, ...]) -> int:
    """Runs an experiment undisturbed and counts its events."""
    done = python("-m", "tests.reliability.victim", "SIGKILL", "count", 0, module, *flags)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return int(re.findall(r"^events: (\d+)$", done.stdout, flags=re.MULTILINE)[0])


def battery(folder: pathlib.Path, *, kills: int, seed: int, run: tuple[str, ...] = RUN) -> tuple[dict, list[str]]:
    """Disturbs runs until `kills` strikes have hit in the training and in every table; counts, and what went wrong."""
    rng = random.Random(seed)
    flags_of = {"train": run, "geometry": MEASURE, "rewinding": REWIND, "gradients": LEDGER, "decoding": PROBES}
    steps = {name: (f"experiments.{name}", flags) for name, flags in flags_of.items()}
    calm = folder / "undisturbed"
    events = {name: count_events(module, (f"--workdir={calm}", *flags)) for name, (module, flags) in steps.items()}
    expected = outcome(calm)
    counts, problems = dict.fromkeys((*steps, "runs", "runs that differ"), 0), []
    while min(counts[name] for name in steps) < kills:
        workdir = folder / f"run{counts['runs']}"
        for name, (module, flags) in steps.items():
            hits, found = strike_until_done(
                module, (f"--workdir={workdir}", *flags), events=events[name], rng=rng, kills=min(5, kills)
            )
            counts[name] += hits
            problems += found
        different = differences(outcome(workdir), expected)
        counts["runs"] += 1
        counts["runs that differ"] += bool(different)
        problems += [f"{workdir.name}: {name} differs" for name in different]
        print(f"{workdir.name}: {counts}", flush=True)
        shutil.rmtree(workdir)
    found, missed = damage_all(calm, count=20, rng=rng)
    return counts | found, problems + missed


def many(folder: pathlib.Path, *, kills: int, seed: int) -> tuple[dict, list[str]]:
    """Disturbs commands that make many runs, each until `kills` strikes have hit, and compares all of their runs."""
    rng, counts, problems = random.Random(seed), {}, []
    for name, (module, flags) in MANY.items():
        calm, hits, rounds = folder / name / "undisturbed", 0, 0
        events = count_events(module, (f"--workdir={calm}", *flags))
        expected = outcome_of_all(calm)
        while hits < kills:
            workdir, rounds = folder / name / f"run{rounds}", rounds + 1
            found, said = strike_until_done(
                module, (f"--workdir={workdir}", *flags), events=events, rng=rng, kills=min(5, kills)
            )
            different = differences(outcome_of_all(workdir), expected)
            hits, problems = hits + found, [*problems, *said, *(f"{name}: {one} differs" for one in different)]
            print(f"{name}: {hits} strikes, {len(different)} files differ", flush=True)
            shutil.rmtree(workdir)
        counts |= {f"strikes that hit: {name}": hits}
    return counts, problems


def main() -> None:
    """Reads the flags and strikes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="strikes that must hit, in training and in each table")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and of the damage")
    parser.add_argument(
        "--flags", action="append", default=[], help="a further flag of the training: --flags=--keep=log"
    )
    parser.add_argument("--many", action="store_true", help="strike ensembles, a sweep and widths instead of a run")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place, options = pathlib.Path(folder), {"kills": flags.kills, "seed": flags.seed}
        counts, problems = many(place, **options) if flags.many else battery(place, **options, run=(*RUN, *flags.flags))
    for name, count in counts.items():
        print(f"| {name} | {count} |")
    if problems:
        raise SystemExit("\n".join(problems))


if __name__ == "__main__":
    main()
