"""A step of the campaign: what is measured, with which arguments, and about how long it takes."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Step(NamedTuple):
    """One measurement.

    Attributes:
      name: by which results are kept.
      section: title of its table; steps of one section follow one another in it.
      function: "module:function" of this folder; its result is a list of records, the rows of the table.
      arguments: of the function, on an accelerator.
      tiny: those that a rehearsal on a processor has in their place.
      seconds: about what it takes on an accelerator, compilation and a rival's included.
    """

    name: str
    section: str
    function: str
    arguments: Mapping[str, Any]
    tiny: Mapping[str, Any]
    seconds: float

    def settings(self, *, rehearse: bool) -> dict[str, Any]:
        """What the function is given."""
        return {**self.arguments, **self.tiny} if rehearse else dict(self.arguments)


TRAINING = "Training steps beside PyTorch"
# Multiply-adds of an image at the paper's widths.
MULTIPLY_ADDS = {"mlp": 5.1e6, "alexnet": 22.1e6, "vgg16": 332.5e6, "resnet18": 555.5e6}
WIDTHS = {"mlp": 1024, "alexnet": None, "vgg16": 64, "resnet18": 64}


def _training(model: str, dtype: str, seconds: float) -> Step:
    arguments = {"model": model, "width": WIDTHS[model], "batch_size": 1024, "dtype": dtype, "repeats": 5}
    arguments["multiply_adds"] = MULTIPLY_ADDS[model]
    tiny = {"width": 2, "batch_size": 8, "repeats": 1, "with_torch": False, "multiply_adds": 1.0}
    if dtype != "bfloat16":
        # Once is enough to rehearse what takes long to compile.
        tiny["model"] = "mlp"
    return Step(f"training {model} {dtype}", TRAINING, "networks:training", arguments, tiny, seconds)


RUN = "A short memorization run of `fashion_vgg16`"
GEOMETRY = "Geometry of VGG16"


def _measured(measurement: str, settings: Mapping[str, Any], seconds: float) -> Step:
    arguments = {"measurement": measurement, "settings": settings}
    return Step(f"{measurement} of the run", RUN, "run:measured", arguments, {}, seconds)


_GEOMETRY = {"model": "vgg16", "width": None, "num_classes": 100, "num_examples": 50, "num_draws": 300}
_TINY_GEOMETRY = {"model": "mlp", "width": 4, "num_classes": 4, "num_examples": 5, "num_draws": 10}
_TINY_LAYER = {"shape": (4, 6, 20), "num_draws": 10, "repeats": 1}

# The most valuable first: what only an accelerator can tell, and what goals are set for.
STEPS = (
    Step(
        "geometry of vgg16",
        GEOMETRY,
        "manifolds:network",
        {**_GEOMETRY, "joint_draws": 0},
        {**_TINY_GEOMETRY, "joint_draws": 0},
        150,
    ),
    _training("vgg16", "bfloat16", 90),
    Step(
        "memorization",
        RUN,
        "run:memorize",
        {"preset": "fashion_vgg16", "epochs": 25, "dtype": "bfloat16"},
        {"preset": "smoke", "epochs": 2, "dtype": "float32"},
        240,
    ),
    _measured("geometry", {"geometry_epochs": "0,final"}, 120),
    _measured("rewinding", {"rewind_epochs": "log"}, 60),
    _measured("gradients", {"gradient_epochs": "0,final"}, 90),
    _training("resnet18", "bfloat16", 100),
    Step(
        "joint geometry",
        "Joint geometry of a layer",
        "manifolds:joint",
        {"shapes": ((100, 50, 1024), (10, 50, 784)), "num_draws": 200, "repeats": 3},
        {"shapes": ((4, 6, 20),), "num_draws": 10, "repeats": 1},
        60,
    ),
    Step(
        "both geometries of vgg16",
        GEOMETRY,
        "manifolds:network",
        {**_GEOMETRY, "joint_draws": 200},
        {**_TINY_GEOMETRY, "joint_draws": 10},
        180,
    ),
    _training("vgg16", "tf32", 90),
    _training("resnet18", "tf32", 100),
    Step(
        "storing",
        "Storing every epoch",
        "networks:storing",
        {"model": "vgg16", "width": None, "batch_size": 1024, "num_batches": 8, "epochs": 6},
        {"model": "mlp", "width": 4, "batch_size": 8, "num_batches": 2, "epochs": 2},
        60,
    ),
    Step(
        "gradients",
        "Gradient decomposition beside forward and backward",
        "networks:gradients",
        {"cases": (("mlp", 1024, (28, 28, 1), 4096, 1024), ("vgg16", 64, (32, 32, 3), 4096, 512))},
        {"cases": (("mlp", 4, (4, 4, 1), 16, 8),)},
        90,
    ),
    Step(
        "simulated capacity",
        "Simulated capacity",
        "manifolds:simulated",
        {"shape": (20, 50, 1024), "repeats": 1},
        {"shape": (4, 3, 6), "repeats": 1},
        60,
    ),
    Step(
        "decoding",
        "Decoding a layer",
        "manifolds:decoding",
        {"num_classes": 10, "num_train": 60_000, "num_test": 10_000, "num_features": 2048},
        {"num_classes": 3, "num_train": 60, "num_test": 20, "num_features": 8},
        90,
    ),
    Step(
        "programs",
        "Quadratic programs",
        "manifolds:programs",
        {"sizes": (20, 50, 100), "kinds": ("easy", "few", "large"), "num_manifolds": 100, "num_draws": 300},
        {"sizes": (6,), "kinds": ("easy",), "num_manifolds": 2, "num_draws": 10},
        90,
    ),
    Step(
        "wide layer",
        "One layer",
        "manifolds:layer",
        {"shape": (100, 50, 65536), "num_draws": 300, "repeats": 3},
        _TINY_LAYER,
        60,
    ),
    Step(
        "ensemble",
        "An ensemble of MLPs",
        "networks:ensemble",
        {"widths": (64, 1024), "num_seeds": 10, "batch_size": 1024, "repeats": 3},
        {"widths": (4,), "num_seeds": 2, "batch_size": 8, "repeats": 1},
        60,
    ),
    *(_training(model, dtype, 60) for model in ("mlp", "alexnet") for dtype in ("bfloat16", "tf32")),
    *(_training(model, "float32", 90) for model in ("vgg16", "resnet18", "mlp", "alexnet")),
)
