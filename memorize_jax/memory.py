"""How much memory there is, and whether a request fits in it."""

import contextlib
import pathlib

import psutil


def available_bytes() -> int:
    """Bytes of memory that this process may still take: of the machine, of its control group, of its own limit."""
    limits = [psutil.virtual_memory().available]
    with contextlib.suppress(ImportError):  # Windows has no such limit
        import resource

        own, _ = resource.getrlimit(resource.RLIMIT_AS)
        if own != resource.RLIM_INFINITY:
            limits.append(own - psutil.Process().memory_info().vms)
    group = pathlib.Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):
        limits.append(int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    return max(min(limits), 0)


def check_fits(what: str, needed: int, advice: str) -> None:
    """Raises ValueError if what is asked for cannot fit into memory, before anything of it is allocated."""
    if needed > (free := available_bytes()):
        raise ValueError(f"{what} would take {readable(needed)} of memory, {readable(free)} are available; {advice}")


def readable(count: int) -> str:
    """A number of bytes with three digits and a unit."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"
