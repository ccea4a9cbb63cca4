"""What all experiments share on the command line: flags, one-line errors, exit codes."""

import dataclasses
import errno
import inspect
import os
import pathlib
import re
import sys
import traceback
from collections.abc import Callable

from absl import app, flags, logging

from experiments import buckets, trust
from experiments.presets import PRESETS, Preset, get_preset, noted_preset
from memorize_jax import interruption
from memorize_jax.config import RunConfig, Settings
from memorize_jax.data import LOADERS
from memorize_jax.memory import available_bytes, readable
from memorize_jax.models import MODELS
from memorize_jax.runs.folder import Run, member_folders
from memorize_jax.runs.noted import read_noted

FLAGS = flags.FLAGS

# Part of a field's type -> what defines its flag; text, if none fits.
DEFINERS = {"bool": flags.DEFINE_bool, "float": flags.DEFINE_float, "int": flags.DEFINE_integer}


def flag(name: str, text: str, define: Callable = flags.DEFINE_string, default=None) -> Callable[[], None]:
    """A definition for `start` of one flag; of text, unless `define` is another of absl's functions."""

    def definition():
        define(name, default, text)
        FLAGS.register_key_flag_for_module(sys.argv[0], FLAGS[name])

    return definition


def switch(name: str, text: str) -> Callable[[], None]:
    """A definition for `start` of a flag that is on or off; off unless given."""
    return flag(name, text, flags.DEFINE_bool, False)


def integer(name: str, text: str) -> Callable[[], None]:
    """A definition for `start` of a flag that takes a whole number."""
    return flag(name, text, flags.DEFINE_integer)


def settings(config_class: type[Settings], *names: str) -> Callable[[], None]:
    """A definition for `start` of the flags of all fields of a class of settings, or of some."""

    def definition():
        # The docstring is the one place where fields are explained.
        about = inspect.cleandoc(config_class.__doc__).partition("Attributes:\n")[2]
        texts = dict(re.findall(r"^  (\w+): (.*(?:\n    .*)*)\.$", about, re.MULTILINE))
        choices = {"dataset": sorted(LOADERS), "model": sorted(MODELS), **config_class.choices()}
        for field in dataclasses.fields(config_class):
            if field.name in (names or texts):
                define = next((one for name, one in DEFINERS.items() if name in str(field.type)), flags.DEFINE_string)
                text = " ".join(texts[field.name].split())
                text += f"; one of {', '.join(choices[field.name])}" if field.name in choices else ""
                flag(field.name, f"{text} ({field.default}, unless the preset says otherwise)", define)()

    return definition


def define_workdir() -> None:
    """Defines the flags that all commands have."""
    flag("workdir", "folder of the run; gs://BUCKET/PATH for one in a bucket")()
    flag("local_dir", "folder in which runs in buckets are worked on", default=buckets.LOCAL_DIR)()
    switch("trust_code", "import the MODULE:NAME that the config.json of a run names, whoever wrote it")()
    switch("debug", "show the full traceback of an error")()


def define_preset(default: str = "digits") -> None:
    """Defines --preset."""
    known = "; ".join(f"{name}: {preset.summary}" for name, preset in PRESETS.items())
    flag("preset", f"settings to start from, which other flags override. {known}", default=default)()


def define_preset_of_run() -> None:
    """Defines --preset and --skip_damaged for the analysis of a run, which has settings of its own."""
    switch("skip_damaged", "go on without the epochs whose checkpoint is damaged")()
    flag("preset", "settings to start from, which other flags override; those that the run has noted if not given")()


def of_analysis(config_class: type[Settings]) -> tuple[Callable[[], None], ...]:
    """The definitions for `start` of the analysis of a run: of its settings, and of what all analyses have."""
    return define_workdir, define_preset_of_run, settings(config_class)


SEEDS = flag("seeds", "train an ensemble of these seeds, e.g. 0-9, each in its own folder of --workdir")


def of_training() -> tuple[Callable[[], None], ...]:
    """The definitions for `start` of a command that trains a run, or an ensemble."""
    together = "train the seeds as one program, which an accelerator does faster than one by one"
    return define_workdir, define_preset, settings(RunConfig), SEEDS, switch("together", together)


def given(config) -> dict:
    """The fields of a config, or config class, whose flags were given on the command line."""
    names = [field.name for field in dataclasses.fields(config)]
    return {name: getattr(FLAGS, name) for name in names if name in FLAGS and getattr(FLAGS, name) is not None}


def chosen(workdir: str | pathlib.Path | None = None, *analyses: str) -> Preset:
    """The settings to start from with the flags that were given put over them, validated.

    Args:
      workdir: of the run or ensemble that is analyzed: without --preset, what it has noted is taken.
      *analyses: whose settings are printed, with where they come from.

    Raises:
      ValueError: a preset or a value that does not exist.
      OSError: no run in workdir.
    """
    if FLAGS.preset or workdir is None:
        preset, whence = get_preset(FLAGS.preset), f"of preset {FLAGS.preset}"
    else:
        folder = Run((member_folders(workdir) or [workdir])[0])
        noted = read_noted(folder)
        preset, whence = noted_preset(noted), f"noted in {folder.config}"
        if not noted.settings:
            whence = f"the defaults, for {folder.config} notes none; --preset=NAME takes those of a preset"
    parts, changed = {}, []
    for field in dataclasses.fields(Preset):
        if dataclasses.is_dataclass(field.type):
            flags_given = given(field.type)
            parts[field.name] = dataclasses.replace(getattr(preset, field.name), **flags_given)
            changed += flags_given
            # The preset's own settings are sound.
            if flags_given:
                parts[field.name].validate()
    preset = dataclasses.replace(preset, **parts)
    values = {name: value for part in analyses for name, value in dataclasses.asdict(getattr(preset, part)).items()}
    if values:
        flags_used = [f"--{name}" for name in changed if name in values]
        whence += f"; {', '.join(flags_used)} from the command line" if flags_used else ""
        print(f"settings: {', '.join(f'{name}={value}' for name, value in values.items())} ({whence})", flush=True)
    return preset


def required_workdir() -> str:
    """The value of --workdir.

    Raises:
      ValueError: it was not given.
    """
    if not FLAGS.workdir:
        raise ValueError("expected --workdir=FOLDER, the folder of the run")
    return FLAGS.workdir


def figure_names(text: str) -> str:
    """A value of --figure as the catalogue writes names: in small letters, none empty, and all alone if it is one."""
    names = [name for part in text.split(",") if (name := part.strip().lower())]
    return "all" if "all" in names else ",".join(names)


def _advice(error):
    if isinstance(error, MemoryError | RuntimeError):
        return f" ({readable(available_bytes())} are available here); ask for less: fewer examples, layers or draws"
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT):
        return "; free some space, or store less (--keep, --keep_dtype); then the same command goes on from here"
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "; once the permissions are right, the same command goes on from here"
    return ""


def start(main: Callable[[], None], *definitions: Callable[[], None], first: Callable[[], None] = lambda: None) -> None:
    """Defines flags, runs `main`, and turns every foreseeable error into one line and exit code 1.

    Args:
      main: the experiment.
      *definitions: of the flags it takes.
      first: done before a run in a bucket is opened.
    """
    interruption.end_at_once()
    for define in definitions:
        define()

    def guarded(argv):
        logging.set_verbosity(logging.WARNING)
        try:
            if len(argv) > 1:
                raise ValueError(f"expected only flags like --workdir=FOLDER, got {argv[1]!r}")
            with interruption.terminable():
                first()
                with buckets.workdir_here(FLAGS):
                    warning = trust.check_workdirs(FLAGS)
                    main()
                    if warning:
                        print(warning, file=sys.stderr)
        except BrokenPipeError:
            os._exit(1)
        except KeyboardInterrupt as error:
            interruption.leave(error)
        except (ValueError, OSError, ArithmeticError, MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "RESOURCE_EXHAUSTED" not in str(error):
                raise
            if FLAGS.debug:
                traceback.print_exc()
            message = buckets.named_as_given(" ".join(str(error).split())[:2000], FLAGS)
            print(f"error: {message or 'not enough memory'}{_advice(error)}", file=sys.stderr)
            sys.exit(1)

    app.run(guarded)
