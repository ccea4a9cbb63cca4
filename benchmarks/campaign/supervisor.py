"""Keeps a process that measures, asks it for one step after the other, and ends it where it takes too long."""

import contextlib
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import time
from typing import Any, TextIO

ROOT = pathlib.Path(__file__).parent.parent.parent
QUICK = "--xla_backend_optimization_level=0"


class Supervisor:
    """A worker, started when a step is asked for and none runs.

    Args:
      workdir: for what steps keep; what they print goes into `log.txt` there.
    """

    def __init__(self, workdir: pathlib.Path, *, rehearse: bool):
        self._workdir, self._rehearse = workdir, rehearse
        self._process: subprocess.Popen | None = None
        self._answers: TextIO | None = None
        workdir.mkdir(parents=True, exist_ok=True)

    def ask(self, step: str, seconds: float) -> dict[str, Any]:
        """The answer to a step, see `worker`; "out of time" after so many seconds, "failed" for a process that ended."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        process, answers = self._process, self._answers
        assert process is not None
        assert process.stdin is not None
        assert answers is not None
        started = time.perf_counter()
        with contextlib.suppress(BrokenPipeError):
            print(step, file=process.stdin, flush=True)
        ready, _, _ = select.select([answers], [], [], max(seconds, 0.0))
        line = answers.readline() if ready else ""
        found: dict[str, Any] = {"state": "out of time", "error": f"took more than {seconds:.0f} s"}
        if line:
            found = json.loads(line)
        elif ready:
            code = process.wait()
            # The kernel ends a process that takes all memory there is.
            state = "out of memory" if code == -signal.SIGKILL else "failed"
            found = {"state": state, "error": f"the process ended with {code}; see {self._workdir / 'log.txt'}"}
        if found["state"] != "done":
            self.close()
        return found | {"seconds": round(time.perf_counter() - started, 2)}

    def _start(self) -> None:
        self.close()
        read, write = os.pipe()
        command = [sys.executable, "-m", "benchmarks.campaign.worker", str(write), str(self._workdir)]
        # Nearly all the time of a rehearsal is compilation.
        flags = os.environ.get("XLA_FLAGS", QUICK) if self._rehearse else os.environ.get("XLA_FLAGS", "")
        with (self._workdir / "log.txt").open("a") as log:
            self._process = subprocess.Popen(
                [*command, *["rehearse"] * self._rehearse],
                cwd=ROOT,
                env={**os.environ, "XLA_FLAGS": flags},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
                pass_fds=[write],
                start_new_session=True,
            )
        os.close(write)
        self._answers = os.fdopen(read)

    def close(self) -> None:
        """Ends the worker and whatever it has started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            assert self._process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        if self._answers is not None:
            self._answers.close()
        self._process, self._answers = None, None
