"""Every place where the package compiles a function, found in its source."""

import ast
import pathlib
from collections.abc import Iterator

PACKAGE = pathlib.Path(__file__).parent.parent.parent / "memorize_jax"
# What compiles a function that it is given.
COMPILERS = {"jit", "pmap", "shard_map"}
# What need not lower for an accelerator, and why.
EXCUSED = {
    "geometry.batching:_over_devices": "needs several devices: tests/lowering/on_eight_devices.py",
    "geometry.compiling:jit": "compiles functions of other files, where they are found",
    "geometry.compiling:known_options": "asks the compiler of a processor what it knows",
    "measurements.costs:measure_work": "is counted and never run",
    "measurements.costs:_speed": "times a product of matrices",
}


def sites() -> set[str]:
    """Names of all places, e.g. "geometry.pipeline:_geometry_of_layers" or "training.trainer:Trainer.__init__"."""
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        found |= {f"{module}:{name}" for name in compiled_in(path.read_text(encoding="utf-8"))}
    return found


def compiled_in(source: str) -> set[str]:
    """The functions that a module compiles: decorated ones, names that are given a compiled function, or whoever does it.

    A function of the module that returns what it compiles, as `def precisely(f): return jax.jit(f)`, counts as a
    compiler, and not as a place.
    """
    tree = ast.parse(source)
    makers = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and _returns_compiled(node)}
    body = [node for node in tree.body if getattr(node, "name", None) not in makers]
    return {name for node in body for name in _places(node, "", COMPILERS | makers)}


def _returns_compiled(function) -> bool:
    returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    return any(isinstance(value, ast.Call) and _last_name(value.func) in COMPILERS for value in returned)


def _last_name(node) -> str | None:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)


def _mentions(node, compilers) -> bool:
    read = (part for part in ast.walk(node) if isinstance(getattr(part, "ctx", None), ast.Load))
    return any(_last_name(part) in compilers for part in read)


def _places(node, outer, compilers) -> Iterator[str]:
    if isinstance(node, ast.ClassDef):
        for part in node.body:
            yield from _places(part, f"{outer}{node.name}.", compilers)
    elif isinstance(node, ast.FunctionDef):
        # A function that is decorated or that compiles another one inside.
        if any(_mentions(part, compilers) for part in [*node.decorator_list, *node.body]):
            yield f"{outer}{node.name}"
    elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _mentions(node.value, compilers):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (f"{outer}{_last_name(target)}" for target in targets)
    elif not isinstance(node, ast.Import | ast.ImportFrom) and _mentions(node, compilers):
        yield f"{outer}<module>"
