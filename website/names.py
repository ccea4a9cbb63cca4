"""The public names of the package and where each is defined, read from the sources without importing them."""

import ast
import pathlib
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "memorize_jax"


class Public(NamedTuple):
    """A name that a package publishes in its `__all__`.

    Attributes:
      package: dotted, that publishes it.
      path: dotted, of its definition; that of a package or module where it is one.
    """

    package: str
    name: str
    path: str

    @property
    def is_module(self) -> bool:
        """Whether it is a package or module."""
        return _source_of(self.path) is not None


def packages() -> list[str]:
    """Dotted names of all packages that publish names, the front door first."""
    found = [path for path in PACKAGE.rglob("__init__.py") if "__all__" in path.read_text(encoding="utf-8")]
    return sorted(".".join(path.parent.relative_to(ROOT).parts) for path in found)


def public_names(package: str) -> list[Public]:
    """What a package publishes, in the order of its `__all__`; raises LookupError for a name that it has not."""
    tree = _tree(package)
    constants = _constants(tree)
    return [Public(package, name, _defined(package, name, tree, constants)) for name in constants["__all__"]]


def summary(path: str) -> str:
    """The first sentence of what is said of a definition, "" where nothing is."""
    node = _tree(path) if _source_of(path) else _definition(*path.rsplit(".", 1))
    text = ast.get_docstring(node) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) else None
    return " ".join((text or "").split("\n\n")[0].split())


def _source_of(dotted):
    place = ROOT.joinpath(*dotted.split("."))
    options = (place / "__init__.py", place.with_suffix(".py"))
    return next((path for path in options if path.is_file()), None)


def _tree(dotted):
    source = _source_of(dotted)
    if source is None:
        raise LookupError(f"expected a module of {PACKAGE}, got {dotted}")
    return ast.parse(source.read_text(encoding="utf-8"))


def _constants(tree):
    """Module-level names whose values are displays of text and of one another."""
    known = {"dict": dict}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if not {own.id for own in ast.walk(node.value) if isinstance(own, ast.Name)} <= set(known):
                continue
            code = compile(ast.Expression(node.value), "<constant>", "eval")
            known[node.targets[0].id] = eval(code, {"__builtins__": {}}, known)
    return known


def _defined(package, name, tree, constants):
    """Where a published name is defined: here, where it is imported from, or where it is loaded from when asked for."""
    if any(_binds(node, name) for node in tree.body) or name.startswith("__"):
        return f"{package}.{name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            return f"{node.module}.{name}"
    later = constants.get("_NAMES", {}).get(name)
    if isinstance(later, str):
        later = later if later.startswith("memorize_jax") else f"memorize_jax.{later}"
        return f"{later}.{_original(later, name)}"
    if later:
        return later[0] if later[1] is None else f"{later[0]}.{later[1]}"
    return _searched(package, name)


def _original(module, name):
    """The name of a definition that a module may also give another name, `name = original`."""
    node = _definition(module, name)
    return node.value.id if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) else name


def _searched(package, name):
    """A name that its package loads by code of its own: a module of the package, or the front door's name."""
    for path in sorted(PACKAGE.joinpath(*package.split(".")[1:]).glob("*.py")):
        if any(_binds(node, name) for node in ast.parse(path.read_text(encoding="utf-8")).body):
            return f"{package}.{path.stem}.{name}"
    front = {one.name: one.path for one in public_names("memorize_jax")} if package != "memorize_jax" else {}
    if name in front:
        return front[name]
    if _source_of(f"memorize_jax.measurements.{name}"):
        return f"memorize_jax.measurements.{name}"
    raise LookupError(f"expected a definition of {name}, which {package} publishes")


def _binds(node, name):
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return node.name == name
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _definition(module, name):
    return next((node for node in _tree(module).body if _binds(node, name)), None)
