import ast
import graphlib
import pathlib

from memorize_jax.measurements import registry

ROOT = pathlib.Path(__file__).parent.parent

# What every part may import.
LOW = {
    "channels",
    "invocation",
    "keys",
    "memory",
    "scale",
    "threads",
    "whole",
    "plugins",
    "statistics",
    "epochs",
    "interruption",
    "progress",
    "compilation",
}
TRAINING = {"activations", "adapters", "config", "data", "models", "recipe", "training"}
SHARED = {*LOW, *TRAINING, "analysis", "claims", "figures", "geometry", "pages", "runs", "storage", "studies"}
# Part of the library -> the parts it may import besides itself. What is not an arrow here is forbidden. A room of
# `measurements` is a part of its own; "registry" is what knows all rooms.
LIBRARY = {
    **{part: set() for part in LOW},
    "compilation": {"progress"},
    "taps": set(),
    "torch": {"channels", "memory", "progress"},
    "adapters": {"plugins", "taps", "torch"},
    "data": {"keys", "memory", "plugins", "progress", "whole"},
    "models": {"plugins"},
    "recipe": {"plugins"},
    "geometry": {"keys", "memory", "scale", "threads", "whole"},
    "activations": {"adapters", "data"},
    "config": {"data", "models", "epochs", "plugins", "recipe"},
    "training": {"config", "data", "models", "keys", "recipe"},
    "storage": {"epochs", "memory"},
    "runs": {*LOW, *TRAINING, "storage"},
    "studies": {*LOW, "config", "models", "runs", "storage"},
    "pages": {"statistics", "studies"},
    "figures": {"epochs", "geometry", "statistics", "storage", "studies"},
    "explorer": {"figures", "geometry", "statistics", "storage", "studies"},
    "claims": {"epochs", "geometry", "statistics", "studies"},
    "analysis": {*LOW, "activations", "adapters", "config", "data", "geometry", "runs", "storage"},
    "measurements.columns": set(),
    "measurements.measurement": {"config", "data"},
    "measurements.costs": {*LOW, *TRAINING, "analysis", "geometry", "runs"},
    "room": {*SHARED, "measurements.costs", "measurements.measurement"},
    "measurements.registry": {"claims", "config", "figures", "measurements.measurement", "studies"},
    "measurements.second_process": {
        *LOW,
        "config",
        "measurements.measurement",
        "measurements.registry",
        "runs",
    },
    "measurements.made_of": {"measurements.measurement", "runs"},
    "measurements.driver": {
        *LOW,
        "adapters",
        "config",
        "data",
        "measurements.made_of",
        "measurements.measurement",
        "measurements.registry",
        "measurements.second_process",
        "runs",
        "storage",
    },
    "presets": {"config", "measurements.measurement", "measurements.registry", "runs"},
    "own_activations": {*LOW, "analysis", "data", "figures", "geometry", "measurements.geometry", "storage"},
    "report": {
        *(*SHARED, "explorer", "measurements.columns", "measurements.measurement", "measurements.registry"),
    },
    "watching": {
        *(*SHARED, "commands", "measurements.driver", "measurements.measurement", "measurements.registry"),
    },
    "commands": {
        *(*SHARED, "own_activations", "measurements.costs", "measurements.driver", "measurements.geometry"),
        *("measurements.measurement", "measurements.registry", "measurements.second_process", "presets", "report"),
    },
}
# Package -> the only modules that import it.
OWNERS = {
    "numba": {"memorize_jax.geometry.machine_code"},
    "jaxopt": {"memorize_jax.geometry.qp.solve", "memorize_jax.geometry.qp.admm"},
    "orbax": {"memorize_jax.storage.checkpoints.trees"},
    "dm_pix": {"memorize_jax.recipe.augmentations"},
    "altair": {"memorize_jax.explorer.vega"},
    "vl_convert": {"memorize_jax.explorer.vega"},
    "jinja2": {"memorize_jax.pages.page"},
    "matplotlib": {"memorize_jax.figures.style"},
    "sklearn": {"memorize_jax.data.digits", "memorize_jax.measurements.decoding.probes"},
    "filelock": {"memorize_jax.storage.lock"},
    "fsspec": {"memorize_jax.storage.bucket"},
    "tensorboardX": {"memorize_jax.storage.tensorboard"},
    "wandb": {"memorize_jax.storage.wandb_run"},
    "mlflow": {"memorize_jax.storage.mlflow_run"},
    "platformdirs": {"memorize_jax.compilation", "memorize_jax.data.decoded", "memorize_jax.explorer.vega"},
    "threadpoolctl": {"memorize_jax.threads"},
    "umap": {"memorize_jax.measurements.umap.embedding"},
    "skdim": {"memorize_jax.measurements.geometry.two_nn"},
    "tensorflow": {"memorize_jax.data.tfds_sources"},
    "tensorflow_datasets": {"memorize_jax.data.tfds_sources"},
    "rdata": {"memorize_jax.data.letter"},
    "h5py": {"memorize_jax.own_activations.files.hdf5"},
    "zarr": {"memorize_jax.own_activations.files.zarr_groups"},
    "xarray": {"memorize_jax.own_activations.saving"},
    "torch": {"memorize_jax.torch.library"},
    "equinox": {"memorize_jax.taps.equinox_tap", "memorize_jax.taps.equinox_variables"},
    "haiku": {"memorize_jax.taps.haiku_tap"},
    "third_party": set(),
    "tests": set(),
    "benchmarks": set(),
}
# The front door and the published names of `analysis` load what they name when it is asked for, by its name.
ROOMS = {room.rpartition(".")[2] for room in registry.ROOMS}


def modules():
    for folder in ("memorize_jax", "experiments"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path.read_text(encoding="utf-8")


def imports(source):
    """All names a module imports, dotted, wherever in it the import stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide their arrow"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part_of(below):
    """The part that a dotted name below `memorize_jax` belongs to: "runs", or "measurements.rewinding"."""
    first, _, rest = below.partition(".")
    return f"measurements.{rest.partition('.')[0]}" if first == "measurements" and rest else first


def allowed_for(part):
    room = part.removeprefix("measurements.")
    return LIBRARY["room"] if part.startswith("measurements.") and room in ROOMS else LIBRARY[part]


def forbidden(module, source):
    """The imports of a module that are no arrow of the tables above."""
    package, _, rest = module.partition(".")
    part = part_of(rest)
    for name in imports(source):
        target, _, below = name.partition(".")
        into = part_of(below)
        if target in OWNERS:
            allowed = module in OWNERS[target]
        elif target == "memorize_jax":
            doors = {"commands", "interruption"}
            allowed = into in doors if package == "experiments" else into == part or into in allowed_for(part)
        else:
            allowed = target != "experiments"
        if not allowed:
            yield name


def test_imports_follow_the_arrows():
    found = {module: names for module, source in modules() if (names := list(forbidden(module, source)))}
    assert found == {}


def test_the_tables_are_of_what_there_is():
    sources = dict(modules())
    parts = {part_of(module.partition(".")[2]) for module in sources if module.startswith("memorize_jax.")}
    rooms = {f"measurements.{room}" for room in ROOMS}
    assert parts - rooms - {"measurements"} == set(LIBRARY) - {"room"}
    for package, owners in OWNERS.items():
        for owner in owners:
            assert any(name.partition(".")[0] == package for name in imports(sources[owner])), (owner, package)


def test_the_arrows_go_round_in_no_circle():
    arrows = {**LIBRARY, "measurements.geometry": LIBRARY["room"]}
    assert list(graphlib.TopologicalSorter(arrows).static_order())
