"""What all commands share: flags, one-line errors, exit codes."""

import dataclasses
import errno
import gc
import os
import pathlib
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence

from absl import app, flags, logging

from memorize_jax import interruption
from memorize_jax.commands import buckets, trust
from memorize_jax.compilation import kept_compiled
from memorize_jax.config import RunConfig, Settings, field_types
from memorize_jax.data import LOADERS
from memorize_jax.invocation import command_line_of
from memorize_jax.measurements.measurement import Measurement
from memorize_jax.measurements.registry import settings_classes
from memorize_jax.memory import available_bytes, readable
from memorize_jax.models import MODELS
from memorize_jax.presets import PRESETS, Preset, get_preset, noted_preset
from memorize_jax.runs.folder import RunFolder, member_folders
from memorize_jax.runs.noted import read_noted
from memorize_jax.studies.earlier import AFTERWARDS

FLAGS = flags.FLAGS

# Type of a field -> what defines its flag.
DEFINERS = {bool: flags.DEFINE_bool, float: flags.DEFINE_float, int: flags.DEFINE_integer, str: flags.DEFINE_string}
# Field whose values are the names of a registry -> these names.
NAMES = {"dataset": sorted(LOADERS), "model": sorted(MODELS)}


def flag(name: str, text: str, define: Callable = flags.DEFINE_string, default=None) -> None:
    """Defines a flag; of text, unless `define` is another of absl's functions."""
    define(name, default, text)
    FLAGS.register_key_flag_for_module(sys.argv[0], FLAGS[name])


def switch(name: str, text: str) -> None:
    """Defines a flag that is on or off; off unless given."""
    flag(name, text, flags.DEFINE_bool, False)


def flags_of(settings_class: type[Settings], *names: str) -> None:
    """Defines the flags of all fields of a class of settings, or of some."""
    for field in dataclasses.fields(settings_class):
        if field.name in (names or (field.name,)):
            choices = field.metadata["choices"] or NAMES.get(field.name)
            one_of = f" One of {', '.join(choices)}." if choices else ""
            text = f"{field.metadata['help']}{one_of} Default: the preset's, else {field.default}."
            flag(field.name, text, DEFINERS[field_types(settings_class, field.name)[0]])


def flags_of_all() -> None:
    """Defines the flags that all commands have."""
    flag("workdir", "Folder of the run; gs://BUCKET/PATH for one in a bucket.")
    flag("local_dir", "Folder in which runs in buckets are worked on.", default=buckets.LOCAL_DIR)
    switch("trust_code", "Import the MODULE:NAME that the config.json of a run names, whoever wrote it.")
    switch("debug", "Show the full traceback of an error.")


def flags_of_measurement(measurement: Measurement) -> None:
    """Defines the flags of the command of a measurement: its settings, and what all measurements have."""
    flags_of_all()
    if measurement.parts:
        switch("skip_damaged", "Measure without the epochs whose checkpoint is damaged.")
        flag("preset", "Settings to start from, which other flags override. Default: those that the run has noted.")
    if measurement.settings:
        flags_of(measurement.settings)
    for name in measurement.reads:
        flags_of(settings_classes()[name], *measurement.reads_flags)


def flags_of_training(preset: str = "digits") -> None:
    """Defines the flags of a command that trains, by this preset unless told otherwise."""
    flags_of_all()
    known = "; ".join(f"{name}: {one.summary}" for name, one in PRESETS.items())
    flag("preset", f"Settings to start from, which other flags override. {known}.", default=preset)
    flags_of(RunConfig)
    flag("seeds", "Train a run for each of these seeds, e.g. 0-9, in folders of their own below --workdir.")
    switch("together", "Train the seeds as one program, which an accelerator does faster than one by one.")


def given(settings_class: type[Settings] | Settings) -> dict:
    """The fields of a class of settings whose flags were given on the command line."""
    names = [field.name for field in dataclasses.fields(settings_class)]
    return {name: getattr(FLAGS, name) for name in names if name in FLAGS and getattr(FLAGS, name) is not None}


def chosen(workdir: str | pathlib.Path | None = None, shown: Sequence[str] = ()) -> Preset:
    """The settings to start from with the flags that were given put over them, validated.

    Args:
      workdir: of the run, or runs, that are measured: without --preset, what is noted there is taken.
      shown: measurements whose settings are printed, with where they come from.
    """
    if FLAGS.preset or workdir is None:
        preset, whence = get_preset(FLAGS.preset), f"of preset {FLAGS.preset}"
    else:
        folder = RunFolder((member_folders(workdir) or [workdir])[0])
        noted = read_noted(folder)
        preset, whence = noted_preset(noted), f"noted in {folder.config}"
        if not noted.settings:
            whence = f"the defaults, for {folder.config} notes none; --preset=NAME takes those of a preset"
    changed = list(given(RunConfig))
    preset = preset.with_run(**given(RunConfig))
    for name, settings_class in settings_classes().items():
        preset = preset.replace(name, **given(settings_class))
        changed += given(settings_class)
    values = {name: value for part in shown for name, value in dataclasses.asdict(preset.of(part)).items()}
    if values:
        flags_used = [f"--{name}" for name in changed if name in values]
        whence += f"; {', '.join(flags_used)} from the command line" if flags_used else ""
        print(f"settings: {', '.join(f'{name}={value}' for name, value in values.items())} ({whence})", flush=True)
    return preset


def asked() -> list[str]:
    """The fields that were given on the command line and that a run can have otherwise once it is finished."""
    return [name for name in AFTERWARDS if name in given(RunConfig)]


def check_seeds(seeds: str | None) -> None:
    """Raises ValueError for flags that `seeds` in folders of their own leave nothing to do, or that need them."""
    if seeds is not None and FLAGS.seed is not None:
        raise ValueError(f"expected either --seed or --seeds, got --seed={FLAGS.seed} and --seeds={seeds}")
    if seeds is None and FLAGS.together:
        raise ValueError("expected --seeds=0-9 with --together, which trains several seeds as one program")


def check_axes(axes: Iterable[str]) -> None:
    """Raises ValueError for a flag that gives one value to a field in which the runs differ."""
    if both := sorted({*given(RunConfig)} & {*axes}):
        raise ValueError(f"expected no --{both[0]}, in which the runs differ")


def check_one_width(preset: Preset) -> None:
    """Raises ValueError for a preset of several widths, of which none was chosen."""
    if preset.widths:
        command = command_line_of("double_descent", FLAGS.workdir)
        several = f"preset {preset.name} is of the widths {preset.widths}"
        raise ValueError(f"{several}; train them with: {command} --preset={preset.name}, or give one --width")


def required_workdir() -> str:
    """The value of --workdir; raises ValueError if it was not given."""
    if not FLAGS.workdir:
        raise ValueError("expected --workdir=FOLDER, the folder of the run")
    return FLAGS.workdir


def figure_names(text: str) -> str:
    """A value of --figure as the catalog writes names: in small letters, none empty, and all alone if it is one."""
    names = [name for part in text.split(",") if (name := part.strip().lower())]
    return "all" if "all" in names else ",".join(names)


def _advice(error):
    if isinstance(error, MemoryError | RuntimeError):
        return f" ({readable(available_bytes())} are available here); ask for less: fewer examples, layers or draws"
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT):
        return "; free some space, or store less (--keep, --keep_dtype), and rerun the same command to resume"
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "; once the permissions are right, rerun the same command to resume"
    return ""


def start(main: Callable[[], None], define: Callable[[], None], first: Callable[[], None] = lambda: None) -> None:
    """Runs `main` with the flags of `define`, and turns every foreseeable error into one line and exit code 1.

    `first` is done before a run in a bucket is opened.
    """
    interruption.end_at_once()
    define()

    def guarded(argv):
        logging.set_verbosity(logging.WARNING)
        try:
            if len(argv) > 1:
                raise ValueError(f"expected only flags like --workdir=FOLDER, got {argv[1]!r}")
            # What is imported stays for as long as the process: the collector need not look through it again.
            gc.freeze()
            with interruption.terminable():
                first()
                with buckets.workdir_here(FLAGS), kept_compiled():
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
