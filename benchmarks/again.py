"""The lines on docs/results.md that make a committed study again with the package as it is now."""

import re
import shlex

from memorize_jax.commands.report import commands
from memorize_jax.studies.study import Study

FIRST_GEOMETRY = "--num_center_components=1 --joint_draws=0"
# Study -> command -> the flags that it needs besides those that it was given then: presets and defaults have changed
# since, and where files lie is not noted.
ADDED = {
    "fashion_conv": {"train": "--keep=log", "geometry": FIRST_GEOMETRY},
    "fashion_mlp": {
        "train": "--keep=log",
        "geometry": FIRST_GEOMETRY,
        "capacity_check": f"--capacity_dichotomies=12 {FIRST_GEOMETRY}",
    },
    "cifar10_resnet18": {"train": "--data_dir=FOLDER"},
}
_LIST = "python -m experiments.sweep --num_train=10000 --width=32 --keep=best,last --steps_per_call=39 --dry_run"
_GRID = "--grid=permuted_fraction=0.2,0.4,0.6,0.8"
# Sweeps whose runs were trained one by one: the line that lists them, so that they are read as one study.
LISTED = {
    "masc_mnist": f"{_LIST} --preset=masc_mlp_mnist {_GRID} --workdir=runs/masc_mnist",
    "masc_fashion_mnist": f"{_LIST} --preset=masc_mlp_fashion_mnist {_GRID} --workdir=runs/masc_fashion_mnist",
}
OF_SEEDS = re.compile(r"--seeds=\S+")


def lines_again(name: str, study: Study) -> list[str]:
    """The lines in order; several that trained more and more seeds are one."""
    given = [line.replace(shlex.quote(str(study.workdir)), f"runs/{name}") for line in commands(study)]
    if not study.axes:
        # A study of one seed may be one of several that a line trained.
        seeds = ",".join(map(str, study.seeds))
        given = [
            OF_SEEDS.sub(f"--seeds={seeds}" if len(study.seeds) > 1 else f"--seed={seeds}", line) for line in given
        ]
    lines = [_with_added(name, line) for line in dict.fromkeys(given)]
    if name in LISTED:
        lines.insert(-1, LISTED[name])
    return lines


def _with_added(name, line):
    for command, added in ADDED.get(name, {}).items():
        if re.search(rf"(experiments\.|memorize ){command}\b", line):
            return f"{line} {added}"
    return line
