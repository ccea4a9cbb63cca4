"""Runs a whole study: trains, measures and reads the layers, rewinds them, splits the gradient, writes the report.

    python -m experiments.reproduce --preset=digits

The same command run again goes on with the training where it stopped, and measures and draws anew.
"""

import time

from experiments import cli, decoding, geometry, gradients, report, rewinding, train
from memorize_jax.runs import Run


def main() -> None:
    """Reads the flags and runs every step."""
    started = time.perf_counter()
    chosen = cli.chosen()
    workdir = cli.FLAGS.workdir or f"runs/{cli.FLAGS.preset}"
    prepared = train.prepare(workdir, chosen.run)
    # Before hours of training, not after.
    decoding.choose_names(chosen.run.model, chosen.decoding.decoding_layers)
    geometry.choose_examples(*prepared, chosen.geometry, seed=chosen.run.seed)
    print(f"{cli.FLAGS.preset}: {chosen.summary}\nfolder: {Run(workdir).workdir.absolute()}")
    train.run(workdir, chosen.run, prepared)
    geometry.run(workdir, chosen.geometry, prepared[0])
    decoding.run(workdir, chosen.decoding, prepared[0])
    rewinding.run(workdir, chosen.rewinding, prepared[0])
    gradients.run(workdir, chosen.gradients, prepared[0])
    path = report.run(workdir)
    print(f"done in {time.perf_counter() - started:.0f} s; open {path.absolute()}")


if __name__ == "__main__":
    cli.start(
        main,
        cli.define_workdir,
        cli.define_preset,
        cli.define_run,
        cli.define_geometry,
        cli.define_decoding,
        cli.define_rewinding,
        cli.define_gradients,
    )
