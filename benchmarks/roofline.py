"""Least time of the package's programs on accelerators, computed from the programs and the makers' data sheets.

    python -m benchmarks.roofline            # prints, three minutes
    python -m benchmarks.roofline --write    # into docs/performance.md

Nothing is measured on an accelerator. Programs are traced as an accelerator would run them; loops that end when they have
converged are run here, once, for the number of their rounds.
"""

from collections.abc import Mapping

import jax
import numpy as np
from absl import app, flags

from benchmarks import document
from benchmarks.invented import invent_points
from benchmarks.lowered import geometry, measurements, networks
from benchmarks.lowered.cost import Cost, cost_of
from benchmarks.lowered.decoding import decoding
from benchmarks.lowered.loops import count_rounds
from benchmarks.lowered.program import Program, Sizes, believed_backend
from benchmarks.machines import MACHINES, least_seconds
from benchmarks.tables import table
from memorize_jax.config import COMPUTE_DTYPES

MODULE = "benchmarks.roofline"
PLATFORM = "tpu"
# Seconds that a call of a small kernel is taken to cost, whatever it computes.
CALL_SECONDS = 5e-6
# Network -> shape of an input.
NETWORKS = {"mlp": (1024,), "alexnet": (32, 32, 3), "vgg16": (32, 32, 3), "resnet18": (32, 32, 3)}
# The paper's: a hundred classes of 50 examples, 300 draws; features of a layer in the middle of VGG16.
SIZES = Sizes("vgg16", None, (32, 32, 3), 1024, 100, 50, 4096, 300, 200)
# Layers of VGG16, the input included, and groups of examples.
LAYERS, GROUPS = 17, 4
# Features of each where all are measured together; after the inner products they no longer matter.
FEW_FEATURES = 512

FLAGS = flags.FLAGS
flags.DEFINE_bool("write", False, "write the tables into docs/performance.md")


def bounds(cost: Cost, precision: str) -> dict[str, float | None]:
    """Least milliseconds on every machine."""
    least = {one.name: least_seconds(cost.products, cost.others, cost.bytes, one, precision) for one in MACHINES}
    return {f"{name} ms": None if seconds is None else 1e3 * seconds for name, seconds in least.items()}


def network_section(shapes: Mapping[str, tuple[int, ...]], batch: int) -> str:
    """Training steps and evaluations of all networks in all precisions; Markdown."""
    records = []
    for model, image in shapes.items():
        for dtype in COMPUTE_DTYPES:
            sizes = SIZES._replace(model=model, image=image, batch=batch, dtype=dtype)
            for program in networks.training(sizes)[:2]:
                cost = cost_of(program.call, *program.arguments, platform=PLATFORM)
                what = program.name.partition(" of ")[0]
                records.append(
                    {"network": model, "precision": dtype, "program": what, "GFLOP": cost.products / 1e9}
                    | {"GB": cost.bytes / 1e9, **bounds(cost, dtype)}
                )
    return f"""### Networks

{batch} images and a hundred classes, at the paper's widths: one training step (forward, backward, Adam) and the evaluation of a batch.

{table(records)}
"""


def examples_of(program: Program, sizes: Sizes) -> list:
    """Arguments with numbers: points of each layer, inner products of centers, projections and labels."""
    rng, found = np.random.default_rng(0), []
    shape = (sizes.num_classes, sizes.num_examples, sizes.num_features)
    for number, leaf in enumerate(program.arguments):
        if isinstance(leaf, np.ndarray):
            found.append(leaf)
        elif leaf.shape == shape:
            found.append(invent_points("classes", shape, number))
        elif leaf.shape == 2 * shape[:1]:
            centers = invent_points("classes", shape).mean(axis=1)
            found.append(centers @ centers.T)
        elif jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            found.append(jax.random.key(0))
        elif leaf.dtype == bool:
            found.append(rng.permuted(np.tile(np.arange(leaf.shape[1]) % 2 == 0, (leaf.shape[0], 1)), axis=1))
        else:
            found.append(rng.standard_normal(leaf.shape, np.float32))
    return found


def counted(program: Program, sizes: Sizes) -> Cost:
    """The cost of a program with loops that data end."""
    arguments = examples_of(program, sizes)
    rounds = count_rounds(program.call, *arguments, platform=PLATFORM)
    return cost_of(program.call, *arguments, platform=PLATFORM, rounds=rounds)


def measurement_record(program: Program, cost: Cost, times: int = 1) -> dict:
    """A row of the table of measurements."""
    cost = cost.times(times)
    name = program.name if times == 1 else f"{times} times: {program.name}"
    record = {"program": name, "GFLOP": cost.products / 1e9, "other GFLOP": cost.others / 1e9, "GB": cost.bytes / 1e9}
    return record | {"calls": int(cost.calls), **bounds(cost, "float32"), "calls, ms": 1e3 * CALL_SECONDS * cost.calls}


def measurement_section(sizes: Sizes, num_features: int) -> str:
    """Programs of the measurements; Markdown."""
    of_name = {program.name: program for program in geometry.mean_field(sizes)}
    with_loops = [of_name["mean-field geometry of a layer"], of_name["directions shared by centers"]]
    with_loops += [geometry.joint(sizes)[0], *geometry.simulated(sizes, num_features)]
    records = []
    for program in with_loops:
        cost = counted(program, sizes)
        records.append(measurement_record(program, cost))
        if program.name.startswith("joint"):
            records.append(measurement_record(program, cost, LAYERS * GROUPS))
    narrow = sizes._replace(num_features=FEW_FEATURES)
    whole = geometry.whole_network(narrow, LAYERS)
    records.append(measurement_record(whole, counted(whole, narrow), GROUPS))
    network = networks.Network(sizes)
    without = [*networks.reading(network), measurements.of_gradients(network)[0]]
    without += [
        one
        for one in decoding(sizes.num_classes, 512, sizes.num_features, 256)
        if one.name.endswith(("_accumulate", "_multiply"))
    ]
    records += [measurement_record(one, cost_of(one.call, *one.arguments, platform=PLATFORM)) for one in without]
    shape = f"{sizes.num_classes} classes of {sizes.num_examples} examples in {sizes.num_features} features"
    return f"""### Measurements

A layer: {shape}, {sizes.num_draws} draws, {sizes.joint_draws} of the joint geometry; {geometry.DICHOTOMIES} dichotomies in {num_features} features. VGG16 has {LAYERS}
layers, the input included, and {GROUPS} groups of examples; all layers together are of {FEW_FEATURES} features, which no longer matter after the inner
products. Activations and gradients: {sizes.batch} images through VGG16. All in true float32. *calls* are products,
decompositions, sorts, and rounds of loops without these, that follow one another, *calls, ms* their time at {1e6 * CALL_SECONDS:.0f} microseconds each: where it is the longer one,
the program waits and does not compute.

{table(records)}
"""


HEAD = """**Computed, not measured.** Operations and bytes are counted from the traced programs: two operations for each multiply-add of a product
or convolution, padding included; one for each number computed otherwise (elementwise, sums), 9 n³ for eigenvectors. Bytes are what products,
decompositions and sorts read and write, everything else fused into them, or the program's arguments and results if these are more. XLA's
`cost_analysis` of a lowered step differs by less than 3 % (tested), but it counts a loop once and its bytes as if nothing were fused. Here the
rounds of a loop that data end are those of a run on made-up classes. No run can be faster than the largest of operations over peak and bytes
over bandwidth, but for what a cache holds from one product to the next; real runs are slower. Peaks are of the makers' data sheets, dense:
H100 and H200 (SXM) 67 TFLOP/s in float32, 494 in TF32, 989 in bfloat16, 3.35 and 4.8 TB/s; TPU v5e 197 TFLOP/s in bfloat16, a sixth of it for
float32 of the highest precision (six products of bfloat16 parts), .82 TB/s.
"""


def main(argv: list[str]) -> None:
    """Computes and prints the tables."""
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    with believed_backend(PLATFORM):
        texts = [HEAD, network_section(NETWORKS, 1024), measurement_section(SIZES, 512)]
    document.finish(MODULE, texts, write_too=FLAGS.write)


if __name__ == "__main__":
    app.run(main)
