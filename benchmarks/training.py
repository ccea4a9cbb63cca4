"""Speed of training beside PyTorch, and of an ensemble beside its members one after another, in one run.

    python -m benchmarks.training --quick            # a minute, prints only
    python -m benchmarks.training --write            # into docs/performance.md

PyTorch is optional: `pip install torch`. It gets the same layers, batch and precision, channels_last and torch.compile,
data on its device and Adam; both are timed in turns after compilation.
"""

import jax
from absl import app, flags

from benchmarks import document
from benchmarks.tables import table
from benchmarks.training_steps import ensemble_record, step_record

MODULE = "benchmarks.training"
FLAGS = flags.FLAGS
flags.DEFINE_bool("quick", False, "small sizes")
flags.DEFINE_bool("write", False, "write the tables into docs/performance.md")
flags.DEFINE_integer("repeats", 5, "timed turns")


def network_section(cases, repeats: int) -> str:
    """Times one training step of every network and precision; Markdown."""
    dtypes = ("float32",) if jax.default_backend() == "cpu" else ("tf32", "bfloat16")
    records = [step_record(*case, dtype, repeats) for case in cases for dtype in dtypes]
    return f"""### One training step

Random images; forward, backward and Adam. Operations are counted as 6 x multiply-adds x images. The first call compiles.

{table(records)}
"""


def ensemble_section(widths, num_seeds: int, batch_size: int, repeats: int) -> str:
    """Times an epoch of an ensemble of MLPs as one program and one member after the other; Markdown."""
    records = [ensemble_record(width, num_seeds, batch_size, repeats) for width in widths]
    return f"""### An ensemble of MLPs

{num_seeds} seeds, four batches of {batch_size}: one vmapped program (`--together`), or one member after the other.

{table(records)}
"""


def main(argv: list[str]) -> None:
    """Runs the sections."""
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    on_cpu = jax.default_backend() == "cpu"
    cases = [("mlp", 512 if on_cpu else 1024, 1024, 1.45e6 if on_cpu else 5.1e6)]
    if not FLAGS.quick:
        # Multiply-adds of an image at full width; those of a narrow network go with the square of the width.
        width, batch = (8, 64) if on_cpu else (64, 1024)
        scale = (width / 64) ** 2
        cases += [("alexnet", 64, batch, 22.1e6), ("vgg16", width, batch, 332.5e6 * scale)]
        cases += [("resnet18", width, batch, 555.5e6 * scale)]
    texts = [
        network_section(cases, FLAGS.repeats),
        ensemble_section((64, 512) if on_cpu else (64, 1024), 10, 256 if FLAGS.quick else 1024, FLAGS.repeats),
    ]
    document.finish(MODULE, texts, write_too=FLAGS.write)


if __name__ == "__main__":
    app.run(main)
