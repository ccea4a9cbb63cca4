"""Signals to processes of their own: what they end with, when, and what they say."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.commands import ROOT

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
BOTH = pytest.mark.parametrize("number", CODES, ids=lambda number: number.name)


@pytest.fixture(autouse=True, scope="module")
def as_at_a_terminal():
    """Has processes hear of Ctrl-C even where these tests are run in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def start(*arguments):
    """Starts Python in a process of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen([sys.executable, *map(str, arguments)], cwd=ROOT, env=environment, **pipes)


def ended(process, after=0.0, seconds=20):
    """Exit code, output and errors of a process that ends between so many seconds from now."""
    began = time.monotonic()
    output, error = process.communicate(timeout=20)
    assert after <= time.monotonic() - began < seconds
    return process.returncode, output, error


SCRIPT = """
import contextlib, gc, hashlib, os, signal, sys, time, weakref
from memorize_jax import interruption
number = int(sys.argv[1])
def strike():
    os.kill(os.getpid(), number)
class Odd:
    def __del__(self):
        strike()
        time.sleep(0.1)
def compiled():
    print("busy", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)
try:
    with interruption.terminable():
        exec(sys.argv[2])
        time.sleep(30)
    print("went on", flush=True)
except KeyboardInterrupt as error:
    interruption.leave(error)
"""
CATCHING = "try:\n    strike()\n    time.sleep(1)\nexcept BaseException:\n    "
DROPPED = {
    "destructor": "Odd()",
    "collector": "gc.callbacks.append(lambda *_: [gc.callbacks.pop(), strike(), time.sleep(0.1)]); gc.collect()",
    "weak reference": "class Other: pass\n"
    "other = Other(); r = weakref.ref(other, lambda _: [strike(), time.sleep(0.1)]); del other",
    "caught": f"{CATCHING}pass",
    "caught twice": f"{CATCHING}pass\ntry:\n    time.sleep(1)\nexcept BaseException:\n    pass",
    "made another": f"{CATCHING}raise RuntimeError('INTERNAL')",
}


@BOTH
@pytest.mark.parametrize("way", DROPPED)
def test_an_exception_that_was_dropped_comes_again(number, way):
    word = "Interrupted" if number == signal.SIGINT else "Terminated"
    with start("-c", SCRIPT, int(number), DROPPED[way]) as process:
        said = f"{word}. Progress is saved; rerun the same command to resume.\n"
        assert ended(process) == (CODES[number], "", said)


@contextlib.contextmanager
def busy(doing, *numbers):
    """A process that has said that it is busy and was sent these signals, 0.3 seconds apart."""
    with start("-c", SCRIPT, int(numbers[0]), doing) as process:
        assert process.stdout.readline() == "busy\n"
        time.sleep(0.2)
        for at, number in enumerate(numbers):
            time.sleep(0.3 * (at > 0))
            process.send_signal(number)
        yield process


@BOTH
def test_compiled_code_that_hears_nothing_is_ended(number):
    with busy("interruption.DEAF_SECONDS = 0.5; compiled()", number) as process:
        assert ended(process, 0.4, 3)[0] == CODES[number]


@pytest.mark.parametrize(
    "doing", ["interruption.DEAF_SECONDS = 60; compiled()", "try:\n    compiled()\nfinally:\n    time.sleep(60)"]
)
def test_a_second_ctrl_c_ends_within_five_seconds_whatever_is_done(doing):
    with busy(doing, signal.SIGINT, signal.SIGINT) as process:
        assert ended(process, 0, 5)[0] == 130


CLOSING = "try:\n    print('busy', flush=True); time.sleep(30)\nfinally:\n    time.sleep(1); print('closed')"


@BOTH
def test_what_is_open_is_closed_undisturbed(number):
    with busy(CLOSING, number, number) as process:
        code, output, error = ended(process)
    assert (code, output, error.count("\n")) == (CODES[number], "closed\n", 1)


def test_a_signal_that_was_held_back_comes_when_its_holder_leaves():
    held = "with interruption.deferred() as left:\n    strike(); print(0 < left() <= 15)\nprint('went on')"
    with start("-c", SCRIPT, int(signal.SIGTERM), held) as process:
        assert ended(process)[:2] == (143, "True\n")


def test_what_a_shell_has_told_to_ignore_ctrl_c_does():
    script = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + SCRIPT
    with start("-c", script, int(signal.SIGINT), "strike(); time.sleep(0.2); os._exit(7)") as process:
        assert ended(process)[0] == 7


@BOTH
@pytest.mark.parametrize("seconds", [0.5, 1.0])
def test_a_command_that_is_still_imported_ends_with_a_line(tmp_path, number, seconds):
    with start("-m", "experiments.train", f"--workdir={tmp_path}", "--preset=smoke") as process:
        time.sleep(seconds)
        process.send_signal(number)
        code, _, error = ended(process)
    assert (code, error.count("\n"), list(tmp_path.iterdir())) == (CODES[number], 1, [])


MEASURING = {
    "geometry": ["--geometry_epochs=all"],
    "gradients": ["--gradient_epochs=all"],
    "decoding": (),
    "report": (),
}
COMMANDS = {
    "train": ("--preset=smoke", "--keep=best,last", "--epochs=2000", "--stop_accuracy=1"),
    **MEASURING,
    "sweep": ("--preset=smoke", "--grid=permuted_fraction=0,0.5,1"),
    "reproduce": ("--preset=smoke",),
    "double_descent": ("--preset=smoke", "--widths=4,8"),
}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_commands_that_are_struck_at_random_end_as_asked(tmp_path, smoke_run, seed):
    rng = random.Random(seed)
    command, number, is_double = rng.choice(list(COMMANDS)), rng.choice(list(CODES)), rng.random() < 0.3
    if command in MEASURING:
        shutil.copytree(smoke_run, tmp_path / "run")
    with start("-m", f"experiments.{command}", *COMMANDS[command], f"--workdir={tmp_path / 'run'}") as process:
        time.sleep(rng.uniform(0.3, 12))
        strikes = 1 + (is_double and number == signal.SIGINT)
        for _ in range(strikes):
            process.send_signal(number)
            time.sleep(rng.choice((0.0, 0.1, 1.0)))
        began = time.monotonic()
        _, error = process.communicate(timeout=60)
    # While Python takes itself apart, a signal has its usual effect, which a shell shows by the same code.
    assert process.returncode in (CODES[number], -number, 0), error
    assert "Traceback" not in error
    assert "ignored" not in error
    assert strikes == 1 or time.monotonic() - began < 5
