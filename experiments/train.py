"""Trains a network on partly permuted labels and stores every epoch.

    python -m experiments.train --workdir=runs/mine --dataset=digits --model=mlp --permuted_fraction=0.5

With --seeds=0-9 it trains an ensemble, one run in a folder of its own for each seed.

The same command run again resumes where the run stopped, however it stopped; with larger --epochs, --stop_accuracy or
--extra_epochs a finished run is trained further.
"""

import jax

from experiments import cli
from memorize_jax.runs import distributed
from memorize_jax.runs.folder import check_no_sweep
from memorize_jax.runs.seeds import parse_seeds
from memorize_jax.runs.train import train_run, train_seeds

# All but the first where the processes do not find one another by themselves.
PROCESSES = (
    cli.switch(
        "distributed",
        "one of several processes that train together; on a TPU pod slice, Slurm or Open MPI they find one another",
    ),
    cli.flag("coordinator", "address:port of process 0; only needed where JAX cannot detect the cluster"),
    cli.integer("num_processes", "how many processes there are; only needed where JAX cannot detect the cluster"),
    cli.integer("process_id", "which process this is, from 0; only needed where JAX cannot detect the cluster"),
)


def join() -> None:
    """Meets the other processes, if the flags say so."""
    flags = cli.FLAGS
    distributed.join(flags.coordinator, flags.num_processes, flags.process_id, detect=flags.distributed)


def main() -> None:
    """Reads the flags and trains."""
    workdir, flags, chosen = cli.required_workdir(), cli.FLAGS, cli.chosen()
    try:
        if flags.seeds:
            check_no_sweep(workdir)
            seeds = parse_seeds(flags.seeds)
            train_seeds(workdir, chosen.run, seeds, plan=chosen.plan(), together=flags.together)
        else:
            train_run(workdir, chosen.run, plan=chosen.plan())
    except jax.errors.JaxRuntimeError as error:
        distributed.leave_if_lost(error)
        raise
    if jax.process_index() == 0:
        print(f"trained: {workdir}; next: python -m experiments.geometry --workdir={workdir}")


if __name__ == "__main__":
    cli.start(main, *cli.of_training(), *PROCESSES, first=join)
