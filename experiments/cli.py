"""What all experiments share on the command line: flags, one-line errors, exit codes."""

import dataclasses
import errno
import os
import pathlib
import sys
import traceback
from collections.abc import Callable

from absl import app, flags, logging

from experiments import buckets, trust
from experiments.configs import (
    CapacityCheckConfig,
    DecodingConfig,
    GeometryConfig,
    GradientsConfig,
    RewindingConfig,
    UmapConfig,
)
from experiments.interruption import Terminated, terminable
from experiments.presets import PRESETS, Preset, get_preset, noted_preset
from memorize_jax.config import COMPUTE_DTYPES, DTYPES, ON_NAN, RunConfig
from memorize_jax.data import LOADERS, MODES, SCALINGS
from memorize_jax.models import INITS, MODELS
from memorize_jax.runs import Run, member_folders, read_noted

FLAGS = flags.FLAGS

# Flag -> help. The type follows the field of the dataclass; the default is the preset's.
RUN_HELP = {
    "dataset": f"one of {', '.join(sorted(LOADERS))}, or MODULE:NAME, a function of yours that loads it",
    "data_dir": "folder of the data set's files, if not where they usually are",
    "num_train": "training examples to use, the same share of every class; all if not given",
    "scaling": f"of images: one of {', '.join(SCALINGS)}",
    "model": f"one of {', '.join(sorted(MODELS))}, or MODULE:NAME, a models.Entry of yours",
    "width": "of the model; the paper's if not given",
    "init": f"how parameters start: one of {', '.join(INITS)}",
    "dropout": "rate; that of the paper's table if not given",
    "dtype": f"of the computation while training: one of {', '.join(COMPUTE_DTYPES)}",
    "steps_per_call": "training steps that one call to the device does; 1 on CPU and 16 elsewhere if not given",
    "permuted_fraction": "share of the training labels to permute, 0 to 1",
    "permutation": f"how: one of {', '.join(MODES)}",
    "learning_rate": "of Adam",
    "batch_size": "global batch size, over all devices",
    "seed": "of initialisation, permutation, order of examples and geometry draws",
    "epochs": "most epochs",
    "stop_accuracy": "training accuracy on the assigned labels above which training stops",
    "extra_epochs": "epochs to go on after that",
    "keep": "which epochs' networks stay on disk, besides the best and the last: all, every:K, log, or best,last",
    "keep_dtype": f"of those networks: one of {', '.join(DTYPES)}; the best and the last stay in float32",
    "tensorboard": "write the metrics of every epoch for TensorBoard too, in tensorboard/ of the run's folder",
    "on_nan": f"when the loss is not finite: one of {', '.join(ON_NAN)}; restore goes on at half the learning rate",
}
GEOMETRY_HELP = {
    "geometry_epochs": "which epochs: comma-separated numbers and best, final, all, log",
    "examples_per_class": "examples that stand for each class manifold (M)",
    "max_classes": "use at most this many classes, drawn from the seed",
    "num_draws": "Gaussian draws per manifold",
    "kappa": "margin of the capacity",
    "num_center_components": "shared centre directions to remove; -1 chooses the number layer by layer",
    "compat": "'mftma' for the published tool's conventions",
}
REWINDING_HELP = {
    "rewind_epochs": "to which epochs: comma-separated numbers and best, final, all, log",
    "rewind_layers": "comma-separated: each; conv, every convolution; last:K, the last K together; all, together; or "
    "names of layers that go together joined by +",
    "rewind_into": "final puts the earlier layers into the final network, early the final ones into the earlier",
    "bn": "what happens to the BatchNorm of these layers: one of with_layer, keep, rewind_stats_only, recalibrate",
}
GRADIENTS_HELP = {
    "gradient_epochs": "which epochs: comma-separated numbers and best, final, all, log",
    "gradient_bn": "statistics of BatchNorm: train, those of mixed batches, or eval, the running ones",
    "gradient_weighting": "of a group: subset, the mean over it, or share, its share in the mean over all",
    "gradient_centering": "over what the mean gradient taken off both parts goes: dataset or subset",
}

DECODING_HELP = {
    "decoding_epochs": "which epochs to read with all controls: comma-separated numbers and best, final, all",
    "decoding_dynamics": "also read this many epochs, spread over the run, by the closed-form methods",
    "decoding_layers": "which layers: comma-separated names, or all",
    "probe_examples": "training examples that scikit-learn's probes are fitted to, at most",
    "decoding_dtype": "of the subspaces: float32 or float64",
}
CAPACITY_CHECK_HELP = {
    "capacity_epochs": "which epochs: comma-separated numbers and best, final, all, log",
    "capacity_classes": "simulate at most this many classes, drawn from the seed; all of the geometry's if not given",
    "capacity_dichotomies": "random labellings tested at each number of features that is tried",
    "capacity_repetitions": "independent simulations, whose mean is reported",
}
UMAP_HELP = {
    "umap_epochs": "which epochs: comma-separated numbers and best, final, all, log",
    "umap_classes": "the first so many classes",
    "umap_examples": "of each class in each group, at most",
    "umap_neighbors": "of a point that UMAP keeps near it",
}

# Part of a field's type -> what defines its flag; text, if none fits.
DEFINERS = {"bool": flags.DEFINE_bool, "float": flags.DEFINE_float, "int": flags.DEFINE_integer}


def _define(config_class, texts):
    for field in dataclasses.fields(config_class):
        if field.name not in texts:
            continue
        kind = str(field.type)
        define = next((define for name, define in DEFINERS.items() if name in kind), flags.DEFINE_string)
        define(field.name, None, texts[field.name] + f" ({field.default}, unless the preset says otherwise)")
        _show_in_help(field.name)


def _show_in_help(name):
    FLAGS.register_key_flag_for_module(sys.argv[0], FLAGS[name])


def define_workdir(default: str | None = None) -> None:
    """Defines --workdir."""
    flags.DEFINE_string("workdir", default, "folder of the run; gs://BUCKET/PATH for one in a bucket")
    _show_in_help("workdir")
    flags.DEFINE_string("local_dir", buckets.LOCAL_DIR, "folder in which runs in buckets are worked on")
    _show_in_help("local_dir")
    define_switch("trust_code", "import the MODULE:NAME that the config.json of a run names, whoever wrote it")
    flags.DEFINE_bool("debug", False, "show the full traceback of an error")
    _show_in_help("debug")


def define_preset(default: str = "digits") -> None:
    """Defines --preset."""
    known = "; ".join(f"{name}: {preset.summary}" for name, preset in PRESETS.items())
    flags.DEFINE_string("preset", default, f"settings to start from, which other flags override. {known}")
    _show_in_help("preset")


def define_preset_of_run() -> None:
    """Defines --preset and --skip_damaged for the analysis of a run, which has settings of its own."""
    define_switch("skip_damaged", "go on without the epochs whose checkpoint is damaged")
    text = "settings to start from, which other flags override; those that the run has noted if not given"
    flags.DEFINE_string("preset", None, text)
    _show_in_help("preset")


def define_run() -> None:
    """Defines the flags of a training run."""
    _define(RunConfig, RUN_HELP)


def define_geometry() -> None:
    """Defines the flags of the geometry step."""
    _define(GeometryConfig, GEOMETRY_HELP)


def define_manifolds() -> None:
    """Defines those flags of the geometry step that say which manifolds are measured, and how."""
    names = ("examples_per_class", "num_draws", "num_center_components")
    _define(GeometryConfig, {name: GEOMETRY_HELP[name] for name in names})


def define_capacity_check() -> None:
    """Defines the flags of the capacity check."""
    _define(CapacityCheckConfig, CAPACITY_CHECK_HELP)


def define_umap() -> None:
    """Defines the flags of the UMAP step."""
    _define(UmapConfig, UMAP_HELP)


def define_rewinding() -> None:
    """Defines the flags of the rewinding step."""
    _define(RewindingConfig, REWINDING_HELP)


def define_gradients() -> None:
    """Defines the flags of the gradient ledger."""
    _define(GradientsConfig, GRADIENTS_HELP)


def define_seeds() -> None:
    """Defines --seeds."""
    define_string("seeds", "train an ensemble of these seeds, e.g. 0-9, each in its own folder of --workdir")


def define_together() -> None:
    """Defines --together."""
    define_switch("together", "train the seeds as one program, which an accelerator does faster than one by one")


def define_decoding() -> None:
    """Defines the flags of the decoding step."""
    _define(DecodingConfig, DECODING_HELP)


def define_string(name: str, text: str) -> None:
    """Defines a flag of one experiment that takes text."""
    flags.DEFINE_string(name, None, text)
    _show_in_help(name)


def define_switch(name: str, text: str) -> None:
    """Defines a flag of one experiment that is on or off; off unless given."""
    flags.DEFINE_bool(name, False, text)
    _show_in_help(name)


def define_list_of_texts(name: str, text: str) -> None:
    """Defines a flag of one experiment that may be given several times."""
    flags.DEFINE_multi_string(name, None, text)
    _show_in_help(name)


def define_integer(name: str, text: str) -> None:
    """Defines a flag of one experiment that takes a whole number."""
    flags.DEFINE_integer(name, None, text)
    _show_in_help(name)


def given(config) -> dict:
    """The fields of a config, or config class, whose flags were given on the command line."""
    names = [field.name for field in dataclasses.fields(config)]
    return {name: getattr(FLAGS, name) for name in names if name in FLAGS and getattr(FLAGS, name) is not None}


def chosen(workdir: str | pathlib.Path | None = None, *analyses: str) -> Preset:
    """The settings to start from with the flags that were given put over them, validated.

    Args:
      workdir: of the run or ensemble that is analysed: without --preset, what it has noted is taken.
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
    for define in definitions:
        define()

    def guarded(argv):
        logging.set_verbosity(logging.WARNING)
        try:
            if len(argv) > 1:
                raise ValueError(f"expected only flags like --workdir=FOLDER, got {argv[1]!r}")
            with terminable():
                first()
                with buckets.workdir_here(FLAGS):
                    warning = trust.check_workdirs(FLAGS)
                    main()
                    if warning:
                        print(warning, file=sys.stderr)
        except BrokenPipeError:
            os._exit(1)
        except (ValueError, OSError, ArithmeticError) as error:
            if FLAGS.debug:
                traceback.print_exc()
            message = buckets.named_as_given(" ".join(str(error).split()), FLAGS)
            print(f"error: {message}{_advice(error)}", file=sys.stderr)
            sys.exit(1)
        except KeyboardInterrupt:
            print("interrupted; the same command goes on from here", file=sys.stderr)
            sys.exit(130)
        except Terminated:
            print("terminated; all is stored, the same command goes on from here", file=sys.stderr, flush=True)
            # All files are closed; an orderly exit can crash in the threads of an interrupted compilation.
            sys.stdout.flush()
            os._exit(143)

    app.run(guarded)
