"""Trains a network on partly permuted labels and stores every epoch.

    python -m experiments.train --workdir=runs/mine --dataset=digits --model=mlp --permuted_fraction=0.5

With --seeds=0-9 it trains an ensemble, one run in a folder of its own for each seed.

The same command run again resumes where the run stopped, however it stopped; with larger --epochs, --stop_accuracy or
--extra_epochs a finished run is trained further.
"""

import jax

from memorize_jax.commands import cli
from memorize_jax.runs import distributed
from memorize_jax.runs.folder import check_no_sweep
from memorize_jax.runs.seeds import parse_seeds
from memorize_jax.runs.train import train_run, train_seeds


def definitions() -> tuple[cli.Definition, ...]:
    """Of the flags; of those for several processes, all but the first where they do not find one another."""
    elsewhere = "only needed where JAX cannot detect the cluster"
    return (
        *cli.of_training(),
        cli.switch(
            "distributed",
            "One of several processes that train together; on a TPU pod slice, Slurm or Open MPI they find one another",
        ),
        cli.flag("coordinator", f"address:port of process 0; {elsewhere}"),
        cli.integer("num_processes", f"How many processes there are; {elsewhere}"),
        cli.integer("process_id", f"Which process this is, from 0; {elsewhere}"),
    )


def first() -> None:
    """Meets the other processes, if the flags say so."""
    flags = cli.FLAGS
    distributed.join(flags.coordinator, flags.num_processes, flags.process_id, detect=flags.distributed)


def main() -> None:
    """Reads the flags and trains."""
    workdir, flags, preset = cli.required_workdir(), cli.FLAGS, cli.chosen()
    try:
        if flags.seeds:
            check_no_sweep(workdir)
            seeds = parse_seeds(flags.seeds)
            train_seeds(workdir, preset.run, seeds, plan=preset.plan(), together=flags.together)
        else:
            train_run(workdir, preset.run, plan=preset.plan())
    except jax.errors.JaxRuntimeError as error:
        distributed.leave_if_lost(error)
        raise
    if jax.process_index() == 0:
        print(f"trained: {workdir}; next: python -m experiments.geometry --workdir={workdir}")
