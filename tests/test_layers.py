import ast
import pathlib

ROOT = pathlib.Path(__file__).parent.parent

# Part of the library -> the parts it may import besides itself. What is not an arrow here is forbidden.
LIBRARY = {
    "keys": set(),
    "memory": set(),
    "threads": set(),
    "plugins": set(),
    "statistics": set(),
    "epochs": set(),
    "interruption": set(),
    "progress": set(),
    "data": {"keys", "memory", "plugins"},
    "models": {"plugins"},
    "geometry": {"keys", "memory", "threads"},
    "activations": {"data"},
    "config": {"data", "models", "epochs"},
    "training": {"config", "data", "models", "keys"},
    "storage": {"epochs", "memory"},
    "runs": {"config", "data", "interruption", "keys", "models", "progress", "storage", "training"},
    "studies": {"config", "epochs", "models", "runs", "storage"},
    "figures": {"epochs", "geometry", "statistics", "storage", "studies"},
    "analysis": {
        *("activations", "activations_api", "claims", "data", "epochs", "figures", "geometry", "keys", "memory"),
        *("models", "statistics", "storage", "studies", "threads"),
    },
    "activations_api": {"analysis", "data", "figures", "geometry", "keys", "memory", "storage"},
    "claims": {"analysis", "epochs", "figures", "geometry", "models", "statistics", "storage", "studies"},
    "report": {"analysis", "claims", "epochs", "figures", "geometry", "statistics", "storage", "studies"},
}
# Package -> the only modules that import it.
OWNERS = {
    "jaxopt": {"memorize_jax.geometry.solvers", "memorize_jax.geometry.admm"},
    "orbax": {"memorize_jax.storage.checkpoints.trees"},
    "jinja2": {"memorize_jax.report.page"},
    "matplotlib": {"memorize_jax.figures.style"},
    "sklearn": {"memorize_jax.data.digits", "memorize_jax.analysis.decoding.probes"},
    "filelock": {"memorize_jax.storage.lock"},
    "fsspec": {"memorize_jax.storage.bucket"},
    "tensorboardX": {"memorize_jax.storage.tensorboard"},
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
            allowed = package == "experiments"
        else:
            allowed = True
        if not allowed:
            yield name


def test_imports_follow_the_arrows():
    found = {module: names for module, source in modules() if (names := list(forbidden(module, source)))}
    assert found == {}


def test_the_tables_are_of_what_there_is():
    sources = dict(modules())
    assert {module.split(".")[1] for module in sources if module.startswith("memorize_jax.")} == set(LIBRARY)
    for package, owners in OWNERS.items():
        for owner in owners:
            assert any(name.partition(".")[0] == package for name in imports(sources[owner])), (owner, package)
