"""What the measured growth says about ImageNet, and what the code does where a part can no more."""

import math

import jax
import numpy as np

from benchmarks.growth import JOINT, MEAN_FIELD, Growth
from benchmarks.tables import table
from memorize_jax.geometry import GeometryOptions
from memorize_jax.geometry.batching import peak_bytes
from memorize_jax.geometry.joint.sampling import joint_peak_bytes, make_plan
from memorize_jax.memory import readable
from memorize_jax.own_activations import large_layer
from memorize_jax.own_activations.large_layer import Asked

# ImageNet and ResNet50 by their numbers: classes, examples that stand for a class, units of a layer, draws; layers;
# training images and the bytes of one as it is stored, parameters, epochs that are kept.
IMAGENET = {"P": 1000, "M": 50, "N": 2048, "draws": 300, "layers": 50}
JOINT_DRAWS = 200
TRAINING_IMAGES, PARAMETERS, EPOCHS = 1_281_167, 25_600_000, 1000
IMAGE_BYTES = {"224 x 224": 224 * 224 * 3, "32 x 32": 32 * 32 * 3}
# Memory of the chips named: one of a v5e, an H100.
CHIPS = {"TPU v5e": 16e9, "H100": 80e9}


def extrapolated(growths: list[Growth], part: str, base: dict[str, int], sizes: dict[str, int]) -> float:
    """Seconds of a part at other sizes, none below the base: the base's, times every size's growth."""
    own = [growth for growth in growths if growth.part == part]
    at_base = [growth.seconds[growth.values.index(base[growth.size])] for growth in own]
    ratios = [growth.at(sizes[growth.size]) / seconds for growth, seconds in zip(own, at_base, strict=True)]
    return float(np.median(at_base) * math.prod(ratios))


def imagenet_seconds(growths: list[Growth]) -> dict[str, float]:
    """Processor seconds of all layers of one group of examples at one epoch, by part."""
    one_layer = {**IMAGENET, "layers": 1}
    plan = make_plan(IMAGENET["P"], IMAGENET["M"], num_draws=JOINT_DRAWS, classes_per_draw=None, num_dichotomies=None)
    jointly = {**IMAGENET, "draws_a_block": plan.draws_per_block}
    (many,) = (growth for growth in growths if growth.part == "search among more than 256")
    of_layer = {
        "mean-field geometry": extrapolated(growths, "mean-field geometry", MEAN_FIELD, one_layer),
        "search for shared directions": many.at(IMAGENET["P"]),
        "joint geometry": extrapolated(growths, "joint geometry", JOINT, jointly),
    }
    return {name: IMAGENET["layers"] * seconds for name, seconds in of_layer.items()}


def imagenet_bytes() -> dict[str, int]:
    """What would be held, by part."""
    classes, examples, features, draws, layers = (IMAGENET[name] for name in ("P", "M", "N", "draws", "layers"))
    plan = make_plan(classes, examples, num_draws=JOINT_DRAWS, classes_per_draw=None, num_dichotomies=None)
    asked = Asked(GeometryOptions(num_draws=draws), GeometryOptions(num_draws=JOINT_DRAWS), jax.random.key(0))
    return {
        "all layers at once": peak_bytes(layers, classes, examples, layers * features, draws),
        "inner products of all layers": peak_bytes(layers, classes, examples, 0, draws),
        "joint geometry of all layers": joint_peak_bytes(plan, layers, examples),
        "one layer after the other": large_layer.peak_bytes(classes, examples, features, asked),
        "one example of each class in all layers, on disk": 4 * classes * examples * features * layers,
    }


def imagenet_section(growths: list[Growth]) -> str:
    """Where each part breaks first, and what the code does then; Markdown."""
    seconds, held = imagenet_seconds(growths), imagenet_bytes()
    kept = {"float32": 4 * PARAMETERS * EPOCHS, "bfloat16": 2 * PARAMETERS * EPOCHS}
    log = 2 * math.log2(EPOCHS + 1) + 1
    data = {name: TRAINING_IMAGES * size for name, size in IMAGE_BYTES.items()}
    fits = {
        name: [chip for chip, memory in CHIPS.items() if size < memory] or ["no chip here"]
        for name, size in data.items()
    }
    hours = {name: f"{own / 3600:.2g} h" for name, own in seconds.items()}
    (epoch, *_) = (growth for growth in growths if growth.part == "storing an epoch")
    rows = [
        ("activations of 50,000 images in 50 layers", readable(held["all layers at once"]), "memory of one machine",
         "`analyze` refuses before anything is allocated (`memory.check_fits`); of a network classes are streamed a few at a time "
         f"(`geometry.streaming`), of files or a loader layers come one by one (`GeometryAccumulator`: {readable(held['one layer after the other'])}"
         " of memory and " + readable(held["one example of each class in all layers, on disk"]) + " of disk, which is checked)"),
        ("inner products, mean-field, 50 layers", readable(held["inner products of all layers"]), "memory of a v5e chip",
         f"the same refusal, by `peak_bytes`, on a processor; one layer at a time it is a fiftieth. Time: {hours['mean-field geometry']} a group"),
        ("search for shared directions", f"{IMAGENET['P']} x {IMAGENET['P']} a layer", f"time: {hours['search for shared directions']} a group",
         "beyond 256 centers K grows by a quarter at a step (`many_centers`); `--num_center_components` skips the search"),
        ("joint geometry, 50 layers", readable(held["joint geometry of all layers"]), f"time: {hours['joint geometry']} a group",
         "blocks of at most 1,024 points, so that it grows with P alone; fewer `joint_draws`, or 0"),
        *((f"training images of {name} pixels", readable(size), f"memory of one chip; it fits: {', '.join(fits[name])}",
           "they are on every device as they are stored, so more chips do not help; nothing streams them, and XLA says RESOURCE_EXHAUSTED")
          for name, size in data.items()),
        (f"{EPOCHS} epochs kept of {PARAMETERS / 1e6:.1f} million parameters", readable(kept["float32"]), f"disk; {epoch.at(PARAMETERS):.2g} CPU s an epoch, in a thread",
         f"`--keep=log` keeps {log:.0f} ({readable(round(log * 4 * PARAMETERS))}), `--keep_dtype=bfloat16` halves ({readable(kept['bfloat16'])}); "
         "a run that does not fit on the disk says so before the first step"),
        ("a pod", "a batch over all chips", "measurements, which one machine makes",
         "training and evaluation run on all machines and process 0 stores; everything else is measured afterward, on the chips of one machine"),
    ]  # fmt: skip
    records = [dict(zip(("part", "takes", "breaks first", "what the code does"), row, strict=True)) for row in rows]
    total = sum(seconds.values())
    return f"""### ImageNet on paper

{IMAGENET["P"]} classes of {IMAGENET["M"]} examples, {IMAGENET["layers"]} layers of {IMAGENET["N"]} units, {IMAGENET["draws"]} draws and {JOINT_DRAWS} joint ones, for one group of examples at one epoch:
about {total / 3600:.2g} processor hours, {total / IMAGENET["layers"]:.0f} s a layer ({", ".join(f"{name} {own / IMAGENET['layers']:.2g} s" for name, own in seconds.items())}), by the slopes
above. That size was run, see *Activations larger than memory*: about 29 processor seconds a layer, at an earlier commit.

{table(records)}
"""
