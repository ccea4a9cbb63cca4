"""Speed, exactness and memory of the geometry beside its peers, in one run on the same cores.

    python -m benchmarks.geometry --quick                                      # half a minute, prints only
    python -m benchmarks.geometry --write --mftma_path=DIR --mftma_python=PY   # all of it, into docs/performance.md

The peers are optional: `pip install cvxopt daqp scipy`; the published tool is a checkout of
github.com/schung039/neural_manifolds_replicaMFT with a Python that has numpy<2, pymanopt==0.2.5, cvxopt, autograd and
scipy. Every call runs once for compilation and is then timed in turns with its rivals.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags

from benchmarks import document, memory, peers, programs
from benchmarks.clock import time_together
from benchmarks.invented import invent_points
from benchmarks.tables import table
from memorize_jax import geometry
from memorize_jax.geometry.grams import reduce_points

MODULE = "benchmarks.geometry"
# At least this many times faster than the published tool.
TARGET = 100
SECTIONS = ("programs", "whole", "scaling", "memory", "network")

FLAGS = flags.FLAGS
flags.DEFINE_bool("quick", False, "small sizes, about half a minute")
flags.DEFINE_bool("write", False, "write the tables into docs/performance.md")
flags.DEFINE_list("sections", None, f"which of {', '.join(SECTIONS)}; all if not given, the first two with --quick")
flags.DEFINE_integer("repeats", 7, "timed turns after the first")
flags.DEFINE_float("cvxopt_tol", 1e-9, "absolute, relative and feasibility tolerance of cvxopt")
flags.DEFINE_string("mftma_path", None, "folder with the published tool's package mftma; left out if not given")
flags.DEFINE_string("mftma_python", sys.executable, "Python that has its requirements")


def whole_section(*, kinds, shape: tuple[int, int, int], num_draws: int, repeats: int) -> str:
    """Compares the whole measurement with the published tool, and tells where our time goes; Markdown."""
    records, shares = [], []
    for kind in kinds:
        points, key = invent_points(kind, shape), jax.random.key(0)

        def measure(compat, points=points, key=key):
            return geometry.manifold_geometry(points, key=key, num_draws=num_draws, compat=compat)

        timed = time_together({"mftma": lambda m=measure: m("mftma"), None: lambda m=measure: m(None)}, repeats=repeats)
        tool_seconds = None
        if FLAGS.mftma_path:
            tool = peers.mftma(points, path=FLAGS.mftma_path, python=FLAGS.mftma_python, num_draws=num_draws)
            tool_seconds = float(tool["seconds"])
            records.append(
                {
                    "data": kind,
                    "who": "published tool",
                    "s": tool_seconds,
                    "median s": None,
                    "CPU s": float(tool["cpu"]),
                }
                | {"compile s": None, "x tool": 1, "capacity": f"{1 / np.mean(1 / tool['capacity']):.5f}", "± SE": None}
                | {name: f"{np.mean(tool[name]):.3f}" for name in ("radius", "dimension")}
                | {"rho": float(tool["center_correlation"]), "K": int(tool["num_center_components"]), "worst": None}
            )
        for compat, (timing, found) in timed.items():
            summary = {name: float(value) for name, value in found.summary().items()}
            records.append(
                {"data": kind, "who": 'ours, compat="mftma"' if compat else "ours", "s": timing.best}
                | {"median s": timing.median, "CPU s": timing.cpu, "compile s": timing.compile}
                | {"x tool": tool_seconds / timing.best if tool_seconds else None}
                | {"capacity": f"{summary['capacity']:.5f}", "± SE": f"{summary['capacity_standard_error']:.0e}"}
                | {name: f"{summary[name]:.3f}" for name in ("radius", "dimension")}
                | {"rho": summary["center_correlation"], "K": int(found.num_center_components)}
                | {"worst": f"{float(jnp.max(found.kkt_residual)):.0e}"}
            )
        shares.append({"data": kind} | stages(points, key, num_draws=num_draws, repeats=repeats))
    return f"""### The whole measurement

P = {shape[0]} manifolds, M = {shape[1]} examples, N = {shape[2]} features, {num_draws} draws, from a NumPy array to the result.
*random* is the example of the published README; *classes* have centers with a shared part and a decaying spectrum. The
tool draws Gaussians of its own (n_reps = 1), runs once in its own process, and its time excludes imports. *worst* is the
largest KKT residual. Target: {TARGET} x the tool.

{table(records)}

Where our seconds go (each stage compiled alone):

{table(shares)}
"""


def stages(points: np.ndarray, key: jax.Array, *, num_draws: int, repeats: int) -> dict[str, float]:
    """Times the measurement's stages one by one; the rest is what the whole takes beyond them."""
    mask = jnp.ones(points.shape[:2])
    reduce, structure = jax.jit(reduce_points), jax.jit(lambda gram: geometry.center_structure(gram, key=key))
    gram = jax.block_until_ready(reduce(points, mask)).centers
    measure = lambda **options: geometry.manifold_geometry(points, key=key, **{"num_draws": num_draws, **options})
    calls = {
        "points to inner products": lambda: reduce(points, mask),
        "directions shared by centers": lambda: structure(gram),
        "all": measure,
        "one draw, no directions": lambda: measure(num_draws=1, num_center_components=0),
        "no directions": lambda: measure(num_center_components=0),
    }
    seconds = {name: timing.best for name, (timing, _) in time_together(calls, repeats=repeats).items()}
    few, many = seconds.pop("one draw, no directions"), seconds.pop("no directions")
    seconds["programs"] = many - few
    seconds["checks, frames, one draw"] = few - seconds["points to inner products"]
    return seconds | {"all": seconds.pop("all")}


def scaling_section(*, base: dict[str, int], steps: dict[str, tuple[int, ...]], repeats: int) -> str:
    """Times our whole measurement while one size after the other changes; Markdown."""
    records = []
    for name, values in steps.items():
        for value in values:
            size = base | {name: value}
            shape = (size["P"], size["M"], size["N"])
            layers = {str(layer): invent_points("classes", shape, layer) for layer in range(size["layers"])}
            call = lambda layers=layers, size=size: geometry.layer_geometry(
                layers, key=jax.random.key(0), num_draws=size["draws"], num_center_components=3
            )
            ((timing, found),) = time_together({"ours": call}, repeats=repeats).values()
            count = size["P"] * size["draws"] * size["layers"]
            records.append(
                {"changes": name, "to": value, "s": timing.best, "CPU s": timing.cpu, "compile s": timing.compile}
                | {"µs a program": 1e6 * timing.best / count, "worst": f"{float(jnp.max(found.kkt_residual)):.0e}"}
            )
    sizes = ", ".join(f"{name} = {value}" for name, value in base.items())
    return f"""### Scaling

One size changes, the others stay at {sizes}; K = 3 is given, so that nothing is searched.

{table(records)}
"""


def main(argv: list[str]) -> None:
    """Runs the sections that the flags ask for."""
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    quick, repeats = FLAGS.quick, 2 if FLAGS.quick else FLAGS.repeats
    if quick:
        of_programs = {"sizes": (20,), "kinds": ("easy",), "num_manifolds": 2, "num_draws": 100}
        whole = {"kinds": ("random",), "shape": (10, 20, 200), "num_draws": 50}
        base, steps = {"P": 10, "M": 10, "N": 50, "draws": 50, "layers": 1}, {"layers": (2,)}
        cases, network = [((10, 20, 200), 50)], {"name": "mlp", "num_classes": 10}
    else:
        large = (100, 50, 5000)
        of_programs = {"sizes": (20, 50, 100), "kinds": tuple(programs.KINDS), "num_manifolds": 10, "num_draws": 300}
        whole = {"kinds": ("random", "classes"), "shape": large, "num_draws": 200}
        base = {"P": 50, "M": 50, "N": 1000, "draws": 200, "layers": 1}
        steps = {"P": (25, 100, 200), "M": (10, 20, 100), "draws": (100, 400), "layers": (1, 4, 16)}
        cases, network = [(large, 200), (large, 2000), ((100, 50, 65536), 300)], {"name": "vgg16", "num_classes": 100}
    sections = {
        "programs": lambda: programs.section(**of_programs, repeats=repeats, cvxopt_tol=FLAGS.cvxopt_tol),
        "whole": lambda: whole_section(**whole, repeats=repeats),
        "scaling": lambda: scaling_section(base=base, steps=steps, repeats=repeats),
        "memory": lambda: memory.layer_section(cases=cases),
        "network": lambda: memory.network_section(**network, num_draws=300),
    }
    texts = []
    for name in FLAGS.sections or SECTIONS[: 2 if quick else None]:
        texts.append(sections[name]())
        print(texts[-1], flush=True)
    document.finish(MODULE, texts, write_too=FLAGS.write, packages=peers.versions())


if __name__ == "__main__":
    app.run(main)
