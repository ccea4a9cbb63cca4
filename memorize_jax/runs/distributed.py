"""Several processes that train one run: a TPU pod slice, several GPU machines, or two processes on a laptop."""

import contextlib
import errno
import os
import socket
import sys
import threading
import time

import jax
from jax._src import distributed

# A process that does not come, and one that is gone, end the others within a minute.
MEET_SECONDS, GONE_SECONDS, BEAT_SECONDS = 45, 20.0, 2.0
# JAX ends them with a core dump; it is to come later.
HEARTBEAT_SECONDS, SHUTDOWN_SECONDS = 60, 20
BEATS = "memorize_jax/beats"


def join(
    coordinator: str | None = None, num_processes: int | None = None, process_id: int | None = None, *, detect: bool
) -> None:
    """Meets the other processes, if there are any; call it before anything else touches a device.

    Args:
      coordinator: address:port of process 0; needed, with the two others, where JAX cannot detect the cluster.
      detect: whether the processes find one another, as on a TPU pod slice, with Slurm or Open MPI.

    Raises ValueError for arguments that do not go together.
    """
    explicit = {"coordinator": coordinator, "num_processes": num_processes, "process_id": process_id}
    missing = [name for name, value in explicit.items() if value is None]
    if 0 < len(missing) < len(explicit):
        raise ValueError(f"expected --coordinator, --num_processes and --process_id together, got no --{missing[0]}")
    if coordinator is not None and num_processes is not None and process_id is not None:
        if not 0 <= process_id < num_processes:
            raise ValueError(f"expected process_id between 0 and {num_processes - 1}, got {process_id}")
        _check_address(coordinator, listens=process_id == 0)
    elif not detect:
        return
    print(f"waiting up to {MEET_SECONDS} s for the other processes", file=sys.stderr)
    # JAX itself would abort with a core dump.
    alike = "with the same --coordinator and --num_processes and each with its own --process_id"
    late = f"the other processes did not come within {MEET_SECONDS} s; start all of them, {alike}"
    giving_up = threading.Timer(MEET_SECONDS, _end, args=(late,))
    giving_up.start()
    try:
        jax.distributed.initialize(
            coordinator,
            num_processes,
            process_id,
            initialization_timeout=2 * MEET_SECONDS,
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            shutdown_timeout_seconds=SHUTDOWN_SECONDS,
        )
        threading.Thread(target=_watch, args=(distributed.global_state,), daemon=True).start()
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"the other processes were not met: {' '.join(str(error).split())[:300]}") from error
    finally:
        giving_up.cancel()


def _check_address(coordinator, *, listens):
    # JAX itself would crash.
    _, colon, port = coordinator.rpartition(":")
    if not (colon and port.isdecimal() and 0 < int(port) < 2**16):
        raise ValueError(f"expected --coordinator=ADDRESS:PORT, got {coordinator}")
    if not listens:
        return
    both = socket.has_dualstack_ipv6()
    try:
        family = socket.AF_INET6 if both else socket.AF_INET
        socket.create_server(("", int(port)), family=family, dualstack_ipv6=both).close()
    except OSError as error:
        reason = os.strerror(error.errno or errno.EADDRNOTAVAIL)
        raise ValueError(f"port {port} of --coordinator cannot be used ({reason}); give another one") from error


def _watch(state):
    # Shows the others that this process is there, and ends it when one of them stands still.
    client, beats = state.client, {}
    while True:
        alarm = threading.Timer(GONE_SECONDS, _leave, args=(f"it has not moved for {GONE_SECONDS:.0f} s",))
        alarm.daemon = True
        alarm.start()
        before, moved = beats, set()
        while len(moved) < state.num_processes:
            time.sleep(BEAT_SECONDS)
            # While process 0 stands still, this waits for it; at the end of the program it fails.
            with contextlib.suppress(RuntimeError):
                client.key_value_set(f"{BEATS}/{state.process_id}", str(time.monotonic()), allow_overwrite=True)
                beats = dict(client.key_value_dir_get(BEATS))
                moved |= {name for name, beat in beats.items() if beat != before.get(name)}
        alarm.cancel()


def leave_if_lost(error: Exception) -> None:
    """Ends this process with a message if another one is gone; returns if there is only one."""
    if jax.process_count() > 1:
        _leave(" ".join(str(error).split())[:200])


def _leave(reason):
    again = "start all of them again with the same command: it resumes from the last stored epoch"
    _end(f"another process is gone ({reason}); {again}")


def _end(message):
    print(f"error: {message}", file=sys.stderr, flush=True)
    # An orderly exit would wait for the process that is gone.
    os._exit(1)
