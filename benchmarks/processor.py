"""Training on a processor beside PyTorch: a step of the paper's convolutional networks at three widths.

    python -m benchmarks.processor --write           # into docs/performance.md; again after a stop, from there on

PyTorch is needed. Every library has a process of its own, with all cores; they are timed in turns, after compilation.
"""

import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys

from absl import app, flags

from benchmarks import convolutions, document
from benchmarks.tables import table
from memorize_jax.storage.files import replacing

MODULE = "benchmarks.processor"
NETWORKS, WIDTHS = ("alexnet", "vgg16", "resnet18"), (8, 16, 64)
SHAPE = (32, 32, 3)

FLAGS = flags.FLAGS
flags.DEFINE_bool("write", False, "write the tables into docs/performance.md")
flags.DEFINE_list("networks", list(NETWORKS), "networks")
flags.DEFINE_list("widths", [str(width) for width in WIDTHS], "widths")
flags.DEFINE_integer("batch", 64, "images")
flags.DEFINE_integer("repeats", 3, "timed turns")
flags.DEFINE_string("kept", "build/processor.json", "file of the rows that are done; delete it to begin anew")


class Worker:
    """A process that has compiled one step and waits to be asked for its time."""

    def __init__(self, who: str, model: str, width: int, num_devices: int = 1):
        words = [f"--who={who}", f"--model={model}", f"--width={width}", f"--batch={FLAGS.batch}"]
        given = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={num_devices}".strip()
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": document.ROOT}
        environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": given}
        command = [sys.executable, "-m", "benchmarks.processor_worker", *words]
        self._process = subprocess.Popen(command, env=environment, **options)  # type: ignore[call-overload]
        self.first = self._read()["first"]

    def time(self) -> dict[str, float]:
        """One turn's least seconds: "wall" and "cpu"."""
        print(file=self._process.stdin, flush=True)
        return self._read()

    def _read(self):
        # Compilers talk as well.
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise RuntimeError("expected a time from a benchmark's process, got none: see its message above")

    def close(self) -> None:
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait()


def record(model: str, width: int) -> dict:
    """A row of the table."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = {
        "ours": Worker("ours", model, width),
        "split": Worker("ours", model, width, cores),
        "torch": Worker("torch", model, width),
    }
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in workers}
    for _ in range(FLAGS.repeats):
        for name, worker in workers.items():
            turns[name].append(worker.time())
    for worker in workers.values():
        worker.close()
    wall, cpu = ({name: 1e3 * min(one[kind] for one in of) for name, of in turns.items()} for kind in ("wall", "cpu"))
    row = {"network": model, "width": width, "ours ms": wall["ours"], "PyTorch ms": wall["torch"]}
    row |= {"x PyTorch": wall["torch"] / wall["ours"], f"on {cores} devices ms": wall["split"]}
    row |= {"x PyTorch so": wall["torch"] / wall["split"], "ours CPU ms": cpu["ours"], "PyTorch CPU ms": cpu["torch"]}
    firsts = {"first step s": workers["ours"].first, "PyTorch first step s": workers["torch"].first}
    return row | {"x PyTorch, CPU": cpu["torch"] / cpu["ours"]} | firsts


def profile(model: str, width: int) -> list[dict]:
    """The convolutions of a network one by one."""
    shapes = convolutions.convolutions_of(model, width, SHAPE)
    time = lambda number, shape: convolutions.time_convolution(shape, FLAGS.batch, FLAGS.repeats, is_first=number == 0)
    return [time(number, shape) for number, shape in enumerate(shapes)]


def measured(kept: pathlib.Path) -> dict[str, dict]:
    """All rows, and the convolutions of those slower than PyTorch; reads those that are in the file, adds the others."""
    done = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    kept.parent.mkdir(parents=True, exist_ok=True)
    for model in FLAGS.networks:
        for width in map(int, FLAGS.widths):
            name = f"{model} {width}"
            done.setdefault(name, {})
            for part, measure in (("row", record), ("convolutions", profile)):
                if part in done[name] or (part == "convolutions" and done[name]["row"]["x PyTorch"] >= 1):
                    continue
                done[name][part] = measure(model, width)
                with replacing(kept) as beside:
                    beside.write_text(json.dumps(done), encoding="utf-8")
                print(name, done[name][part], flush=True)
    return done


def main(argv: list[str]) -> None:
    """Measures, and writes."""
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    found = measured(pathlib.Path(FLAGS.kept))
    texts = [
        f"""### A training step

{FLAGS.batch} random images of 32 x 32, float32, Adam. *Devices*: one simulated device a core shares the batch
(`XLA_FLAGS=--xla_force_host_platform_device_count=N`); *so*: that beside PyTorch. First steps compile.

{table([of["row"] for of in found.values()])}
"""
    ]
    for name, of in found.items():
        if "convolutions" in of:
            texts.append(f"### Convolutions of {name}, one by one\n\n{table(of['convolutions'])}\n")
    packages = {name: importlib.metadata.version(name) for name in ("jax", "jaxlib", "flax", "torch")}
    document.finish(MODULE, texts, write_too=FLAGS.write, packages=packages)


if __name__ == "__main__":
    app.run(main)
