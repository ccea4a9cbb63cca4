"""Trains a network on partly permuted labels and stores every epoch.

    python -m experiments.train --workdir=runs/mine --dataset=digits --model=mlp --permuted_fraction=0.5

With --seeds=0-9 it trains an ensemble, one run in a folder of its own for each seed.

The same command run again resumes where the run stopped, however it stopped; with larger --epochs, --stop_accuracy or
--extra_epochs a finished run is trained further.
"""

import jax
from absl import flags

from memorize_jax.commands import cli
from memorize_jax.commands.execute import train_and_measure
from memorize_jax.invocation import command_line_of
from memorize_jax.runs import distributed
from memorize_jax.runs.folder import check_no_ensemble, check_no_sweep
from memorize_jax.studies.plan import make_plan


def define() -> None:
    """Defines the flags."""
    elsewhere, found = "only needed where JAX cannot detect the cluster.", "on a TPU pod slice, Slurm or Open MPI."
    cli.flags_of_training()
    cli.switch("distributed", f"Train together with other processes, which find one another {found}")
    cli.flag("coordinator", f"Address and port of process 0, as HOST:PORT; {elsewhere}")
    cli.flag("num_processes", f"How many processes there are; {elsewhere}", flags.DEFINE_integer)
    cli.flag("process_id", f"Which process this is, from 0; {elsewhere}", flags.DEFINE_integer)


def first() -> None:
    """Meets the other processes, if the flags say so."""
    given = cli.FLAGS
    distributed.join(given.coordinator, given.num_processes, given.process_id, detect=given.distributed)


def main() -> None:
    """Reads the flags and trains."""
    workdir, preset = cli.required_workdir(), cli.chosen()
    cli.check_seeds(cli.FLAGS.seeds)
    if cli.FLAGS.width is None:
        cli.check_one_width(preset)
    plan = make_plan(preset.run, {}, cli.FLAGS.seeds)
    if plan.seeds:
        check_no_sweep(workdir)
    else:
        check_no_ensemble(workdir)
    try:
        train_and_measure(workdir, plan.config, plan.seeds, preset, (), cli.FLAGS.together)
    except jax.errors.JaxRuntimeError as error:
        distributed.leave_if_lost(error)
        raise
    if jax.process_index() == 0:
        print(f"trained: {workdir}; next: {command_line_of('geometry', workdir)}")
