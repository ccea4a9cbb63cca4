"""What commands say, all of them run in one process: when they cannot do what they are asked for one line and exit code
1, and no file has changed; and the same whichever way they are called.
"""

import re

import pytest

from memorize_jax.commands import commands
from memorize_jax.data import LOADERS
from memorize_jax.measurements.registry import measurements
from memorize_jax.models import MODELS
from memorize_jax.presets import PRESETS
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.noted import read_noted, write_config
from tests.commands import forked
from tests.experiments.made_up import made_up_run

SMOKE = PRESETS["smoke"]

SWEPT = "{here}/swept holds a sweep; give one of its runs as --workdir, e.g. {here}/swept/abc"
MEASURED = [name for name, one in measurements().items() if one.measures and not one.axes]
# Command line -> what its one line must say. {here} is a folder that holds a run with seed 0 in "run", a file
# "notes.txt", a sweep with one run "abc" in "swept", an ensemble of seed 3 in "ensemble", and in "points" what --points
# leaves; the workdir is {here}/new unless a flag says otherwise.
BAD = {
    "train --dataset=cifar": f"one of {', '.join(sorted(LOADERS))}, or MODULE:NAME of your own, got 'cifar'",
    "train --model=cnn": f"model to be one of {', '.join(sorted(MODELS))}, or MODULE:NAME of your own, got 'cnn'",
    "train --model=vgg16": "expected images of at least 32 x 32 for model vgg16, got (8, 8, 1)",
    "train --dropout=0.5": "expected no dropout for model mlp",
    "train --dataset=fashion_mnist --data_dir=/nonexistent": "fashion_mnist: no data in /nonexistent; install "
    "Debian's package dataset-fashion-mnist",
    "train --scaling=none": "expected scaling to be one of channels, symmetric, got 'none'",
    "train --workdir={here}/notes.txt": "notes.txt is not a folder",
    "train --workdir=": "expected --workdir=FOLDER",
    "train --workdir={here}/swept --preset=smoke": SWEPT,
    "train --workdir={here}/swept --seeds=0-1": SWEPT,
    "train --workdir={here}/ensemble --preset=smoke": "{here}/ensemble holds an ensemble; resume it with --seeds=3",
    "train --stop_accuracy=0": "expected stop_accuracy > 0 and at most 1, got 0.0",
    "train --preset=double_descent_small": "preset double_descent_small is of the widths 1,2,3,4,6,8; train them with: "
    "python -m experiments.double_descent --workdir={here}/new --preset=double_descent_small, or give one --width",
    "sweep --preset=double_descent_small --grid=permuted_fraction=0,1": "is of the widths 1,2,3,4,6,8; train them with",
    **{
        f"{line} --seed=7 --seeds=0-1": "expected either --seed or --seeds, got --seed=7 and --seeds=0-1"
        for line in ("train", "double_descent", "reproduce")
    },
    **{
        f"{line} --together": "expected --seeds=0-9 with --together"
        for line in ("train", "double_descent", "reproduce", "sweep --grid=width=8")
    },
    **{
        line: "expected no --width, in which the runs differ"
        for line in (
            "double_descent --widths=2,4 --width=8",
            "reproduce --preset=double_descent_small --width=8",
            "sweep --grid=width=2,4 --width=8",
        )
    },
    "sweep --grid=width=8 --slurm=partition=gpu": "expected --cluster=slurm or --cluster=local with --slurm",
    "sweep --grid=permuted_fraction=0,0.0": "expected a list of different values for permuted_fraction, got [0, 0.0]",
    "decoding --probe_examples=3 --workdir={here}/run": "expected probe_examples >= 10, got 3",
    "rewinding --rewind_layers=last:0 --workdir={here}/run": "expected rewind_layers to be comma-separated each",
    "spheres --workdir={here}/run": "spheres of the run in {here}/run cannot be measured: its data set is digits, not ",
    "geometry --workdir={here}/notes.txt": "notes.txt is not a folder",
    **{f"{name}": "train one with: python -m experiments.train --workdir={here}/new" for name in MEASURED},
    **{f"{name} --workdir={{here}}/swept": SWEPT for name in MEASURED},
    "double_descent --widths=1,x": "expected widths like 1,2,4,8, got '1,x'",
    "double_descent --workdir={here}/swept": SWEPT,
    "double_descent --preset=smoke": "expected --widths=1,2,4,8, for this preset has none",
    "sweep --workdir={here}/run --grid=width=8 --dry_run": "{here}/run holds a single run; choose another --workdir",
    "sweep": "expected --grid=FIELD=VALUE,VALUE,... or --file=SWEEP.toml",
    "sweep --grid=width=8 --seed=3": "expected --seeds=0-9 instead of --seed in a sweep",
    "sweep --grid=width=8 --cluster=cloud": "expected cluster to be one of none, local, slurm, got 'cloud'",
    "figures --figure=fig9 --workdir={here}/run": "expected figures among all, fig1a",
    **{
        f"{name} --workdir={{here}}/{folder}": message
        for name in ("figures", "claims", "report")
        for folder, message in {
            "points": "no run in {here}/points (no config.json); it holds results of geometry --points, from which",
            "notes.txt": "notes.txt is not a folder",
        }.items()
    },
    "report --workdir=s3://bucket/run": "expected a folder or gs://BUCKET/PATH, got s3://bucket/run",
    "report --workdirs=,": "with two or more different folders, got none",
    "report --workdirs={here}/run": "with two or more different folders",
    "report --workdirs={here}/run,gs://a/b": "expected --workdirs to be folders on this machine, got gs://a/b",
    "report {here}/run": "expected only flags like --workdir=FOLDER, got '{here}/run'",
    "reproduce --preset=huge": f"one of {', '.join(PRESETS)}, got 'huge'",
    "reproduce --workdir={here}/notes.txt": "notes.txt is not a folder",
    "reproduce --workdir={here}/swept --dry_run": SWEPT,
    "reproduce --preset=smoke --seed=1 --workdir={here}/run": "holds a run with seed=0 (asked: 1)",
    "reproduce --preset=smoke --examples_per_class=200": "at least 200 unpermuted examples in every class, "
    "got 71 in class 0, 73 in class 1",
    "reproduce --preset=smoke --decoding_layers=input,conv1": "decoding_layers to be all or some of input, linear1",
    "reproduce --preset=smoke --rewind_layers=conv": "got 'conv'; the network has no convolutions",
    "reproduce --preset=smoke --geometry_epochs=50": "geometry_epochs of at most 4, the last epoch of the run, got 50",
    "reproduce --preset=smoke --figure=fig99": "expected figures among all, fig1a",
    "reproduce --preset=smoke --figure=,": "expected figures among all, fig1a",
    "reproduce --preset=smoke --figure=fig4c": "fig4c cannot be drawn: needs networks of several widths; make them with"
    ": python -m experiments.double_descent",
    "reproduce --preset=digits --figure=figa3 --dry_run": "figa3 cannot be drawn: its data set is digits, not spheres",
}


# Ways to call a command.
SCRIPT = (
    "memorize",
    "memorize --help",
    "experiments",
    "memorize lern",
    "experiments lern",
    "memorize train --help",
    "experiments.train --help",
    "memorize geometry --workdir={here}/~new",
    "memorize train --workdir={here}/run --preset=smoke --width=4 --epochs=1",
)


def contents(folder):
    return {path.relative_to(folder): path.is_file() and path.read_bytes() for path in folder.rglob("*")}


# What happens in a command, a line of Python -> how its one line begins and ends.
HAPPENS = {
    "raise MemoryError": ("error: not enough memory (", "ask for less: fewer examples, layers or draws"),
    "np.empty(10**15)": ("error: Unable to allocate 7.11 PiB for an array", "fewer examples, layers or draws"),
    "raise jax.errors.JaxRuntimeError('RESOURCE_EXHAUSTED: Out of memory\\nallocating 8 bytes.')": (
        "error: RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes. (",
        "are available here); ask for less: fewer examples, layers or draws",
    ),
    "raise OSError(28, 'No space left on device')": (
        "error: [Errno 28] No space left on device",
        "or store less (--keep, --keep_dtype), and rerun the same command to resume",
    ),
}
MISTAKE = "raise jax.errors.JaxRuntimeError('INTERNAL: a mistake of ours')"


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Line of `BAD` -> (answer, what it had to say, whether a file changed); of the other tables -> answer."""
    folders, before, jobs = {}, {}, []
    for line in BAD:
        here = folders[line] = tmp_path_factory.mktemp("bad")
        made_up_run(here / "run")
        write_config(RunFolder(here / "run"), SMOKE.run)
        (here / "notes.txt").write_text("mine")
        write_config(RunFolder(here / "swept" / "abc"), SMOKE.run)
        RunFolder(here / "swept").sweep.write_text("run,width,seeds,state\nabc,8,1,missing\n")
        made_up_run(here / "ensemble" / "seed_3", seed=3)
        points = RunFolder(made_up_run(here / "points"))
        points.config.unlink()
        points.metrics.unlink()
        points.figures.mkdir()
        (points.figures / "geometry.svg").write_text("<svg/>")
        before[line] = contents(here)
        command, *flags = line.format(here=here).split()
        jobs.append([f"experiments.{command}", f"--workdir={here}/new", *flags])
    happens, here = [*HAPPENS, MISTAKE], tmp_path_factory.mktemp("script")
    jobs += [["tests.failing_command", f"--happens={line}"] for line in happens]
    jobs += [line.format(here=here).split() for line in SCRIPT]
    answers = forked(jobs)
    refused = {
        line: (answer, BAD[line].format(here=here), contents(here) == before[line])
        for (line, here), answer in zip(folders.items(), answers, strict=False)
    }
    return refused | dict(zip((*happens, *SCRIPT), answers[len(BAD) :], strict=True)) | {"here": here}


@pytest.mark.parametrize("line", BAD)
def test_bad_input_is_one_line_and_changes_nothing(answers, line):
    refusal, message, nothing_changed = answers[line]
    (said,) = refusal.error.strip().splitlines()
    assert said.startswith("error: ")
    assert message in said
    assert refusal.code in (1, 2)
    assert nothing_changed


@pytest.mark.parametrize("happens", HAPPENS)
def test_too_little_memory_or_space_is_one_line_with_advice(answers, happens):
    code, error, _ = answers[happens]
    begins, ends = HAPPENS[happens]
    assert code == 1
    assert error.startswith(begins)
    assert error.endswith(f"{ends}\n")
    assert error.count("\n") == 1


def test_another_error_of_the_runtime_keeps_its_traceback(answers):
    assert answers[MISTAKE].code == 1
    assert "Traceback" in answers[MISTAKE].error


def test_the_console_script_is_the_same_and_names_itself(answers):
    bare, asked, module, wrong, wrong_module, script, door, refused, trained = (answers[line] for line in SCRIPT)
    here = answers["here"]
    assert bare == asked
    assert bare.code == 0
    listed = re.findall(r"^  memorize (\w+)  ", bare.output, flags=re.MULTILINE)
    assert listed == re.findall(r"^  python -m experiments\.(\w+)  ", module.output, flags=re.MULTILINE)
    assert listed == list(commands())
    for answer, called in ((wrong, "memorize "), (wrong_module, "python -m experiments.")):
        first, *others = answer.error.splitlines()
        assert (answer.code, answer.output) == (1, "")
        assert first == "error: expected a command, got 'lern'; they are:"
        assert sum(line.startswith(f"  {called}") for line in others) == len(listed)
    assert "    memorize train --workdir=runs/mine" in script.output
    assert script.output.replace("memorize train", "python -m experiments.train") == door.output
    assert f"train one with: memorize train --workdir='{here}/~new'" in refused.error
    assert f"next: memorize geometry --workdir={here}/run\n" in trained.output
    assert read_noted(RunFolder(here / "run")).commands == [SCRIPT[-1].format(here=here)]
