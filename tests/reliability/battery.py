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
from tests.reliability.outcome import differences, outcome_of_all

RECIPE = ("--optimizer=adamw", "--weight_decay=1e-2", "--schedule=cosine", "--augment=flip,crop")
SIZE = ("--dataset=digits", "--width=16", "--batch_size=256", "--learning_rate=3e-3")
RUN = (*SIZE, *RECIPE, "--epochs=30", "--stop_accuracy=1")
EPOCHS = "0,3,7,11,final"
MEASURE = ("--examples_per_class=10", "--num_draws=20", "--num_center_components=1")
MEASURED = {
    "geometry": (f"--geometry_epochs={EPOCHS}", *MEASURE),
    "rewinding": (f"--rewind_epochs={EPOCHS}",),
    "gradients": (f"--gradient_epochs={EPOCHS}",),
    "decoding": ("--decoding_epochs=0,3,final", "--decoding_dynamics=2", "--probe_examples=100"),
}
# Many runs from one command; each is struck as a whole.
SEEDS = (*RUN, "--epochs=12", "--seeds=0-2")
SHORT = (*RUN, "--epochs=8", *MEASURE, "--geometry_epochs=final")
MANY = {
    "ensemble": ("experiments.train", SEEDS),
    "ensemble as one program": ("experiments.train", (*SEEDS, "--together")),
    "sweep": ("experiments.sweep", (*SHORT, "--seeds=0-1", "--grid=permuted_fraction=0.25,0.5")),
    "widths": ("experiments.double_descent", (*SHORT, "--widths=8,16")),
}
CALM = "undisturbed"
# Exit codes that a struck process may end with; 0 when it was faster than the signal.
CODES = {"SIGKILL": {-signal.SIGKILL, 0}, "SIGTERM": {143, 0}, "SIGINT": {130, 0}}


def strike_until_done(module, flags, *, events, rng, kills):
    """Runs an experiment, of so many events, until it is done, and strikes at most `kills` times.

    Returns the number of strikes that hit, and what went wrong.
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


def count_events(module, flags):
    """Runs an experiment undisturbed and counts its events."""
    done = python("-m", "tests.reliability.victim", "SIGKILL", "count", 0, module, *flags)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return int(re.findall(r"^events: (\d+)$", done.stdout, flags=re.MULTILINE)[0])


def struck(folder: pathlib.Path, steps: dict, *, kills: int, rng: random.Random) -> tuple[dict, list[str]]:
    """Disturbs folders that commands, name -> (module, flags), make one after the other; `undisturbed` stays.

    Each is made anew until `kills` strikes have hit in every command. Returns counts, and what went wrong.
    """
    where = f"--workdir={folder / CALM}"
    events = {name: count_events(module, (where, *flags)) for name, (module, flags) in steps.items()}
    expected, workdir = outcome_of_all(folder / CALM), folder / "run"
    counts, problems = dict.fromkeys((*steps, "runs", "runs that differ"), 0), []
    while min(counts[name] for name in steps) < kills:
        for name, (module, flags) in steps.items():
            how = {"events": events[name], "rng": rng, "kills": min(5, kills)}
            hits, found = strike_until_done(module, (f"--workdir={workdir}", *flags), **how)
            counts[name] += hits
            problems += found
        different = differences(outcome_of_all(workdir), expected)
        counts["runs"] += 1
        counts["runs that differ"] += bool(different)
        problems += [f"run {counts['runs']}: {name} differs" for name in different]
        print(f"{folder.name}: {counts}", flush=True)
        shutil.rmtree(workdir)
    return counts, problems


def battery(folder: pathlib.Path, *, kills: int, seed: int, run: tuple[str, ...] = RUN) -> tuple[dict, list[str]]:
    """Strikes the training and every measurement of one run, and then damages its files."""
    rng, flags_of = random.Random(seed), {"train": run, **MEASURED}
    steps = {name: (f"experiments.{name}", flags) for name, flags in flags_of.items()}
    counts, problems = struck(folder, steps, kills=kills, rng=rng)
    found, missed = damage_all(folder / CALM, count=20, rng=rng)
    return counts | found, problems + missed


def many(folder: pathlib.Path, *, kills: int, seed: int) -> tuple[dict, list[str]]:
    """Strikes commands that make many runs."""
    rng, counts, problems = random.Random(seed), {}, []
    for name, step in MANY.items():
        found, said = struck(folder / name, {name: step}, kills=kills, rng=rng)
        counts[f"strikes that hit: {name}"] = found[name]
        problems += [f"{name}: {one}" for one in said]
    return counts, problems


def main() -> None:
    """Reads the flags and strikes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="strikes that must hit, in training and in each table")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and of the damage")
    further = "a further flag of the training: --flags=--keep=log"
    parser.add_argument("--flags", action="append", default=[], help=further)
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
