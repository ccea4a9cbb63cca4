"""One network's training step by one library in a process of its own, timed whenever a line is read.

    python -m benchmarks.processor_worker --who=ours --model=vgg16 --width=8 --batch=64

Prints JSON lines: the seconds of the first call, then for each line of the standard input the least seconds, and the
least processor seconds, of a step.
"""

import json
import sys
import time

from absl import app, flags

# Seconds of a turn, and steps that it has at least.
TURN, LEAST_STEPS = 1.0, 3
SHAPE = (32, 32, 3)

FLAGS = flags.FLAGS
flags.DEFINE_enum("who", "ours", ["ours", "torch"], "library")
flags.DEFINE_string("model", "vgg16", "network")
flags.DEFINE_integer("width", 8, "of the network")
flags.DEFINE_integer("batch", 64, "images")


def make_step():
    """A call that does one compiled step and waits for it."""
    if FLAGS.who == "torch":
        from benchmarks import torch_networks

        return torch_networks.step_of(FLAGS.model, FLAGS.width, FLAGS.batch, SHAPE, "float32")
    import jax

    from benchmarks.invented import invent_data
    from benchmarks.training_steps import compiled_step
    from memorize_jax.config import RunConfig
    from memorize_jax.training import Trainer

    config = RunConfig(model=FLAGS.model, width=FLAGS.width, batch_size=FLAGS.batch, init="torch")
    step, _ = compiled_step(Trainer(config, *invent_data(SHAPE, 100, FLAGS.batch)))
    return lambda: jax.block_until_ready(step())


def turn(step) -> dict[str, float]:
    """Least seconds of a step in one turn."""
    began, walls, processor = time.perf_counter(), [], []
    while len(walls) < LEAST_STEPS or time.perf_counter() - began < TURN:
        wall, cpu = time.perf_counter(), time.process_time()
        step()
        walls.append(time.perf_counter() - wall)
        processor.append(time.process_time() - cpu)
    return {"wall": min(walls), "cpu": min(processor)}


def main(argv: list[str]) -> None:
    """Compiles, then answers."""
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    began = time.perf_counter()
    step = make_step()
    step()
    print(json.dumps({"first": time.perf_counter() - began}), flush=True)
    step()
    for _ in sys.stdin:
        print(json.dumps(turn(step)), flush=True)


if __name__ == "__main__":
    app.run(main)
