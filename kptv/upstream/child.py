"""A running ffmpeg: its input, its output, its complaints and its end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import BinaryIO

import gevent
from gevent.hub import get_hub
from gevent.socket import wait_read, wait_write

from kptv.errors import Reason, UpstreamError
from kptv.pace import Pace
from kptv.upstream.appetite import Appetite, limit_memory
from kptv.upstream.ffmpeg import without_addresses

_READ_SIZE = 256 * 1024  # bytes
_PIPE_SIZE = 1024 * 1024  # bytes; Linux gives so much to anyone
_DEATH = 5.0  # seconds that a killed child takes at most; more, if the machine is at fault
_COMPLAINTS_KEPT = 20  # the last ones
_ENVIRONMENT = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")  # not ours: it holds provider URLs


class Child:
    """A running ffmpeg. No shell, no fork: posix_spawn copies none of this process's memory."""

    def __init__(
        self, path: str, arguments: Sequence[str], body: Iterator[bytes] | None = None
    ) -> None:
        """``body`` is written to its standard input, as fast as it reads; None: it has no input."""
        self.starved: UpstreamError | None = None  # why the body ended
        self.complaints: deque[str] = deque(maxlen=_COMPLAINTS_KEPT)
        # Without it, nobody would notice that the first child of all ends at once.
        get_hub().loop.install_sigchld()
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as its:
            try:
                self._out, out = _pipe(ours, its)
                self._err, err = _pipe(ours, its)
                inlet = _inlet(ours, its) if body is not None else None
                with contextlib.suppress(OSError, AttributeError):  # a small one costs wake-ups
                    fcntl.fcntl(self._out, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
                self._pid: int | None = os.posix_spawn(
                    path,
                    [path, *arguments],
                    {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                    file_actions=[
                        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
                        if inlet is None
                        else (os.POSIX_SPAWN_DUP2, inlet[1], 0),
                        (os.POSIX_SPAWN_DUP2, out, 1),
                        (os.POSIX_SPAWN_DUP2, err, 2),
                    ],
                    setsigdef=[signal.SIGPIPE],  # Python ignores it: a child must not
                )
            except OSError as error:
                raise UpstreamError(Reason.UNSUPPORTED, f"ffmpeg: {error.strerror}") from None
            except ValueError:  # there is a null in an argument
                raise UpstreamError(Reason.BAD_URL, "an address that cannot be given") from None
            self._files = ours.pop_all()
        limit_memory(self._pid)
        self._appetite = Appetite()
        self._listener = gevent.spawn(self._listen)
        self._feeder = None
        if body is not None and inlet is not None:
            self._feeder = gevent.spawn(self._feed, body, inlet[0])

    def read(self, silence: float) -> bytes:
        """What it has written; empty when it has ended."""
        stalled = UpstreamError(Reason.STALLED, f"silent for {silence:.3g} s")
        while True:
            try:
                return os.read(self._out, _READ_SIZE)
            except BlockingIOError:
                wait_read(self._out, timeout=silence, timeout_exc=stalled)

    def check(self) -> None:
        """Raises UpstreamError if it takes more of a core than copying needs."""
        if self._pid is not None and self._appetite.is_too_large(self._pid, monotonic()):
            raise UpstreamError(Reason.UNSUPPORTED, "ffmpeg took more than half a core for long")

    def end(self) -> None:
        """Kill it, wait until it is gone, close what is open; may come twice.

        If this greenlet is killed while it waits, the kill takes effect only after that: a viewer
        may leave while the stream fails.
        """
        if self._pid is None:
            return
        pid, self._pid = self._pid, None
        ending = gevent.spawn(self._end, pid)
        try:
            ending.join()
        finally:
            while not ending.ready():
                with contextlib.suppress(BaseException):  # the first one is raised after this
                    ending.join()

    def _end(self, pid: int) -> None:
        try:
            if self._feeder:
                self._feeder.kill()
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                with contextlib.suppress(ProcessLookupError):  # it is over just now
                    os.kill(pid, signal.SIGKILL)  # nothing to save; TERM would wait for its network
                with gevent.Timeout(_DEATH, False):
                    os.waitpid(pid, 0)
            self._listener.join(timeout=1.0)  # its last words are in the pipe
        finally:
            self._listener.kill()
            self._files.close()

    def _feed(self, body: Iterator[bytes], file: BinaryIO) -> None:
        try:
            with file:  # closing it tells the child that no more will come
                for data in body:
                    _write(file.fileno(), data)
        except UpstreamError as error:
            self.starved = error
        except BrokenPipeError:
            pass  # the child has ended first, and has said why

    def _listen(self) -> None:
        rest = b""
        pace = Pace()  # there may be no end of complaints
        while True:
            pace()
            try:
                data = os.read(self._err, 65536)
            except BlockingIOError:
                wait_read(self._err)
                continue
            *lines, rest = (rest + data)[-65536:].split(b"\n")
            self.complaints.extend(
                without_addresses(line.decode("utf-8", "replace").strip())
                for line in lines[-_COMPLAINTS_KEPT:]
                if line
            )
            if not data:
                return


def _write(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(file, left) :]
        except BlockingIOError:
            wait_write(file)


def _inlet(ours: contextlib.ExitStack, its: contextlib.ExitStack) -> tuple[BinaryIO, int]:
    """A file to write to without waiting, and the end of its pipe for a child."""
    reading, writing = os.pipe()
    its.callback(os.close, reading)
    os.set_blocking(writing, False)
    return ours.enter_context(os.fdopen(writing, "wb", buffering=0)), reading


def _pipe(ours: contextlib.ExitStack, its: contextlib.ExitStack) -> tuple[int, int]:
    """The end of a pipe to read from without waiting, and the one for a child."""
    reading, writing = os.pipe()
    ours.callback(os.close, reading)
    its.callback(os.close, writing)
    os.set_blocking(reading, False)
    return reading, writing
