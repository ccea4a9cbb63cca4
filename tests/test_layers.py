import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent

# Part of the library -> the parts it may import besides itself. What is not an arrow here is forbidden.
LIBRARY = {
    "keys": set(),
    "data": {"keys", "memory", "own_code"},
    "models": {"own_code"},
    "geometry": {"keys", "memory", "threads"},
    "threads": set(),
    "config": {"data", "models", "keep"},
    "training": {"config", "data", "models", "keys"},
    "analysis": {
        *("data", "figures", "geometry", "intervals", "keep", "keys", "memory", "models", "results", "stages", "study"),
        "threads",
    },
    "atomic": set(),
    "bucket": {"atomic", "locks"},
    "identity": {"config", "data"},
    "metrics": {"atomic", "results", "runs"},
    "notes": {"atomic", "runs"},
    "event_files": set(),
    "keep": set(),
    "locks": {"atomic"},
    "memory": set(),
    "own_code": set(),
    "checkpoints": {"keep", "memory"},
    "results": {"atomic"},
    "partial_tables": {"results"},
    "runs": {"config", "data", "atomic", "identity"},
    "study": {"config", "locks", "metrics", "models", "notes", "results", "runs", "stages"},
    "report": {"analysis", "figures", "geometry", "intervals", "stages", "study"},
    "figures": {"atomic", "geometry", "intervals", "stages", "study"},
    "intervals": set(),
    "stages": set(),
}
# Experiments use all of the library, and of each other only these; reproduce composes the steps.
SHARED = {"buckets", "cli", "configs", "interruption", "members", "presets", "progress", "record", "trained", "trust"}
COMPOSES = {
    "reproduce": {
        "claims",
        "decoding",
        "double_descent",
        "ensemble",
        "estimate",
        "geometry",
        "report",
        "steps",
        "train",
    },
    "steps": {
        "capacity_check",
        "decoding",
        "estimate",
        "examples",
        "geometry",
        "gradients",
        "rewinding",
        "spheres",
        "umap",
    },
    "double_descent": {"train"},
    "report": {"claims", "repeat"},
    "sweep": {"ensemble", "geometry", "grid", "train"},
    "train": {"ensemble", "processes", "resume", "run_folder"},
    "ensemble": {"resume", "run_folder"},
}
# Package -> the only modules that import it.
OWNERS = {
    "jaxopt": {"memorize_jax.geometry.qp.solve", "memorize_jax.geometry.qp.admm"},
    "orbax": {"memorize_jax.checkpoints.trees"},
    "jinja2": {"memorize_jax.report.page"},
    "matplotlib": {"memorize_jax.figures.style"},
    "sklearn": {"memorize_jax.data.digits", "memorize_jax.analysis.decoding.probes"},
    "fsspec": {"memorize_jax.bucket"},
    "tensorboardX": {"memorize_jax.event_files"},
    "threadpoolctl": {"memorize_jax.threads"},
    "umap": {"memorize_jax.analysis.embedding"},
    "tensorflow": {"memorize_jax.data.tfds_sources"},
    "tensorflow_datasets": {"memorize_jax.data.tfds_sources"},
    "third_party": set(),
    "tests": set(),
    "benchmarks": set(),
}


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


def forbidden(module, source):
    """The imports of a module that are no arrow of the tables above."""
    package, _, rest = module.partition(".")
    part = rest.partition(".")[0]
    for name in imports(source):
        target, _, below = name.partition(".")
        into = below.partition(".")[0]
        if target in OWNERS:
            allowed = module in OWNERS[target]
        elif target == "memorize_jax":
            allowed = package == "experiments" or not part or into == part or into in LIBRARY[part]
        elif target == "experiments":
            allowed = package == "experiments" and into in SHARED | COMPOSES.get(part, set())
        else:
            allowed = True
        if not allowed:
            yield name


@pytest.mark.parametrize(("module", "source"), [pytest.param(*found, id=found[0]) for found in modules()])
def test_imports_follow_the_arrows(module, source):
    assert list(forbidden(module, source)) == []


def test_every_part_of_the_library_is_in_the_table():
    parts = {module.split(".")[1] for module, _ in modules() if module.startswith("memorize_jax.")}
    assert parts == set(LIBRARY)


def test_every_owner_exists_and_owns():
    sources = dict(modules())
    for package, owners in OWNERS.items():
        for owner in owners:
            assert any(name.partition(".")[0] == package for name in imports(sources[owner])), (owner, package)


def test_the_arrows_go_round_in_no_circle():
    def reachable(part):
        return LIBRARY[part].union(*map(reachable, LIBRARY[part]))

    for part in LIBRARY:
        assert part not in reachable(part)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("memorize_jax.geometry.anchors", "from memorize_jax.models import create"),
        ("memorize_jax.geometry.anchors", "from memorize_jax import data"),
        ("memorize_jax.models.mlp", "import memorize_jax.keys"),
        ("memorize_jax.data.labels", "def f():\n    from memorize_jax import training"),
        ("memorize_jax.checkpoints", "from memorize_jax.config import RunConfig"),
        ("memorize_jax.runs", "from memorize_jax.training import Trainer"),
        ("memorize_jax.keys", "from experiments import cli"),
        ("memorize_jax.geometry.frames", "import jaxopt"),
        ("memorize_jax.geometry.frames", "from jaxopt import base"),
        ("memorize_jax.runs", "import orbax.checkpoint as ocp"),
        ("memorize_jax.analysis.epochs", "from matplotlib import pyplot"),
        ("memorize_jax.figures", "from memorize_jax.analysis import best_epoch"),
        ("memorize_jax.data.spheres", "import sklearn"),
        ("memorize_jax.analysis.decoding.layers", "import sklearn"),
        ("experiments.umap", "import umap"),
        ("memorize_jax.analysis.decoding.network", "from memorize_jax.checkpoints import EpochStore"),
        ("experiments.decoding", "from experiments import geometry"),
        ("memorize_jax.data.spheres", "from tests.oracles import anchors"),
        ("memorize_jax.geometry.frames", "import third_party"),
        ("experiments.train", "from experiments import report"),
        ("experiments.report", "from experiments.geometry import run"),
        ("experiments.reproduce", "import matplotlib"),
    ],
)
def test_a_forbidden_arrow_is_noticed(module, source):
    assert len(list(forbidden(module, source))) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("memorize_jax.data.subsets", "from memorize_jax.keys import stream"),
        ("memorize_jax.training.loop", "from memorize_jax import models"),
        ("experiments.train", "from memorize_jax import data\nfrom experiments import cli"),
        ("experiments.reproduce", "from experiments import cli, decoding, geometry, report, train"),
        ("memorize_jax.data.digits", "from sklearn import datasets"),
    ],
)
def test_an_allowed_arrow_is_allowed(module, source):
    assert list(forbidden(module, source)) == []
