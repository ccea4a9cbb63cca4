"""Where figures come from, and their place in docs/performance.md."""

import contextlib
import importlib.metadata
import os
import pathlib
import platform
import subprocess
import sys

import jax

ROOT = pathlib.Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "performance.md"
END = "<!-- end -->"


def begin(module: str) -> str:
    """The line after which a benchmark's figures stand."""
    return f"<!-- begin: python -m {module} --write -->"


def provenance(module: str, packages: dict[str, str] | None = None) -> str:
    """Says where the numbers come from and how to make them again; Markdown.

    `packages` are the versions of what was timed; None for the stack below us.
    """
    git = lambda *words: subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    changed = " with uncommitted changes" if git("status", "--porcelain", "--", "memorize_jax").strip() else ""
    model = platform.machine()
    with contextlib.suppress(OSError, StopIteration), open("/proc/cpuinfo", encoding="utf-8") as lines:
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    names = ("XLA_FLAGS", "OPENBLAS_NUM_THREADS")
    set_ = " ".join(f"{name}={os.environ[name]}" for name in names if name in os.environ)
    if packages is None:
        packages = {name: importlib.metadata.version(name) for name in ("jax", "flax", "orbax-checkpoint", "numpy")}
    shared = ": other processes shared the cores" if os.getloadavg()[0] > 1.25 * cores else ""
    # Where a peer lies on this machine is nobody's business.
    arguments = [argument.partition("=/")[0] + "=PATH" * ("=/" in argument) for argument in sys.argv[1:]]
    packages = ", ".join(f"{name} {version}" for name, version in packages.items())
    return f"""Commit {git("rev-parse", "--short", "HEAD").strip() or "unknown"}{changed}; {cores} cores of {model}, JAX on
{jax.default_backend()}; {packages}. Load average at the end {os.getloadavg()[0]:.1f}{shared}. Made by

```sh
{" ".join(filter(None, [set_, f"python -m {module}", *arguments]))}
```
"""


def replaced(content: str, module: str, text: str) -> str:
    """The content of a document with another text between a benchmark's markers; raises ValueError without them."""
    marker = begin(module)
    before, found, rest = content.partition(marker)
    _, end, after = rest.partition(END)
    if not found or not end:
        raise ValueError(f"expected the lines {marker} and {END}")
    return f"{before}{marker}\n\n{text}\n{END}{after}"


def finish(module: str, texts: list[str], *, write_too: bool, packages: dict[str, str] | None = None) -> None:
    """Prints the sections of a benchmark with where they come from, and writes them if asked."""
    text = "\n".join([provenance(module, packages), *texts])
    print(text)
    if write_too:
        write(module, text)


def write(module: str, text: str, path: pathlib.Path = DOCUMENT) -> None:
    """Writes a text between a benchmark's markers in a document."""
    path.write_text(replaced(path.read_text(encoding="utf-8"), module, text), encoding="utf-8")
