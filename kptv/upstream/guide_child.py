"""The child that builds a generation of the guide, as the worker sees it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic

import gevent
from gevent.hub import get_hub
from gevent.socket import wait_read

import kptv

DEADLINE = 3600.0  # seconds; it has 600 of CPU, and is niced
_DEATH = 5.0  # seconds that a killed child takes at most
_MOST_SAID = 4096  # bytes that are looked at of what it says
_MODULE = "kptv.guide.build"
_SIGNALS = {
    signal.SIGXCPU: "it took more than 600 s of CPU",
    signal.SIGKILL: "it was killed; was the memory of this machine used up?",
}


class BuildFailed(Exception):
    """Says why, for the log."""


def run_child(job: Path, environment: Mapping[str, str] = os.environ) -> str:
    """The name of the generation that it makes of ``job``, a file. Raises BuildFailed.

    If this greenlet is killed meanwhile, so is the child.
    """
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    try:
        try:
            pid = _spawn(job, writing, environment)
        finally:
            os.close(writing)
        ended = False
        try:
            said = _all_of(reading, monotonic() + DEADLINE)
            ended = True
        finally:
            status = _end(pid, ended)
    finally:
        os.close(reading)
    return _outcome(status, said)


def _spawn(job: Path, writing: int, environment: Mapping[str, str]) -> int:
    get_hub().loop.install_sigchld()
    root = str(Path(kptv.__file__).parents[1])
    given = {name: environment[name] for name in ("PATH", "PYTHONTZPATH") if name in environment}
    return os.posix_spawn(  # no fork, which would copy tables of all this process's memory
        sys.executable,
        [sys.executable, "-m", _MODULE],
        {**given, "PYTHONPATH": root, "LC_ALL": "C.UTF-8"},  # not ours: it holds secrets
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, str(job), os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, writing, 1),
            (os.POSIX_SPAWN_DUP2, writing, 2),
        ],
        setsigdef=[signal.SIGPIPE, signal.SIGTERM, signal.SIGINT],
    )


def _all_of(reading: int, deadline: float) -> str:
    said = b""
    late = BuildFailed(f"it was not ready after {DEADLINE / 60:.0f} min")
    while True:
        try:
            data = os.read(reading, 4096)
        except BlockingIOError:
            wait_read(reading, timeout=max(deadline - monotonic(), 0.001), timeout_exc=late)
            continue
        if not data:
            return said.decode("utf-8", "replace").strip()
        said = (said + data)[-_MOST_SAID:]


def _end(pid: int, ended: bool) -> int:
    """Its status, once it is over; it is killed unless it has ``ended``."""
    if not ended:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # it leaves nothing but a folder that is swept
    with gevent.Timeout(_DEATH, False):
        return int(os.waitpid(pid, 0)[1])
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return int(os.waitpid(pid, 0)[1])


def _outcome(status: int, said: str) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        raise BuildFailed(_SIGNALS.get(signal.Signals(number), f"it ended by signal {number}"))
    last = said.rpartition("\n")[2]
    if os.waitstatus_to_exitcode(status) != 0 or not last:
        raise BuildFailed(last or f"it ended with {os.waitstatus_to_exitcode(status)}")
    return last
