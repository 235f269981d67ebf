"""Tools of the benchmarks: two cores, compiled programs, the clock of a process, a crowd, C."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.functional.harness import Proxy
from tests.provider import Provider, Stream

_HERE = Path(__file__).parent
GATHER = 0.045  # seconds; about kptv.restream.gathering.LARGE_TICK and what its sends take
SPARE_FILES = 500  # descriptors that a server has open beside those of its viewers
_DEADLINE = 60.0  # seconds for a crowd to gather, or to answer


@dataclass(frozen=True, slots=True)
class Cores:
    """The measured server has a core of its own, if there are two."""

    server: int
    load: int


@contextlib.contextmanager
def two_cores() -> Iterator[Cores]:
    """Keep this process and all that it starts on the load's core; `pin` moves the server away."""
    before = os.sched_getaffinity(0)
    cores = Cores(min(before), max(before))
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files[1], files[1]))
    os.sched_setaffinity(0, {cores.load})
    try:
        yield cores
    finally:
        os.sched_setaffinity(0, before)
        resource.setrlimit(resource.RLIMIT_NOFILE, files)


def pin(pid: int, core: int) -> None:
    """Keep all threads of a process on one core; threads that it starts later inherit that."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {core})


@contextlib.contextmanager
def compiled(*names: str) -> Iterator[list[Path]]:
    """The programs made from these C files; deleted at the end."""
    with tempfile.TemporaryDirectory() as folder:
        programs = [Path(folder, name) for name in names]
        for program in programs:
            source = _HERE / f"{program.name}.c"
            subprocess.run(["cc", "-O2", "-o", program, source], check=True, timeout=60)
        yield programs


@contextlib.contextmanager
def running_proxy(
    *providers: Provider, core: int | None = None, **settings: str
) -> Iterator[Proxy]:
    """The proxy under gunicorn before these providers (no limits), ready, on ``core``."""
    with tempfile.TemporaryDirectory() as folder:
        sources = ",".join(f"{provider.list_url}|0" for provider in providers)
        proxy = Proxy(Path(folder), sources, **settings)
        try:
            proxy.start()
            if core is not None:
                pin(proxy.worker_pid, core)
            yield proxy
        finally:
            proxy.close()


@contextlib.contextmanager
def yardstick(
    program: Path, stream: Stream, core: int, gather: float = GATHER
) -> Iterator[tuple[int, int]]:
    """The C fan-out of this stream, which gathers for so many seconds: process id and port."""
    command = [str(program), str(stream.provider.port), stream.path, f"{gather * 1e3:.1f}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            pin(process.pid, core)
            assert process.stdout is not None
            yield process.pid, int(process.stdout.readline())
        finally:
            process.kill()


def cpu_seconds(pid: int) -> float:
    """CPU that a process has used so far, in user and kernel mode."""
    return time.clock_gettime(~pid << 3 | 2)  # as clock_getcpuclockid(3); /proc has hundredths


def resident(pid: int) -> int:
    """Bytes of memory that a process holds now."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which ``part`` (0 to 1) of them lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def span(values: Sequence[float], digits: int = 0) -> str:
    """From the least to the greatest, for a figure's note; empty if there is only one."""
    if len(values) < 2:
        return ""
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}; "


@dataclass(frozen=True, slots=True)
class Report:
    """What a crowd has seen since the report before; see viewers.c."""

    playing: int
    ended: int
    bytes: int
    reads: int  # that these bytes came with
    least: int
    most: int
    packets: int
    median: float  # milliseconds from sending to reading, as the two below
    p99: float
    longest: float
    latest: float  # of all viewers since the start: milliseconds to the first packet, at most
    gap: float  # p99 of the milliseconds between two reads of a viewer; 0 without marks
    longest_gap: float


class Crowd:
    """Many viewers of one path, in a process of their own."""

    def __init__(
        self,
        program: Path,
        port: int,
        path: str,
        count: int,
        *,
        marks: bool = False,
        within: float = 0.0,
    ):
        """``within``: seconds in which all come, whatever the answers; 0: 64 at a time."""
        command = [str(program), str(port), path, str(count), *(["marks"] if marks else [])]
        command += ["within", f"{within:g}"] if within else []
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        assert count + SPARE_FILES <= files, (
            f"{count} viewers need a hard limit of files over {files}"
        )
        self.count = count
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Crowd:
        """Waits until all have got media."""
        deadline = time.monotonic() + _DEADLINE
        while (report := self.report()).playing < self.count:
            if report.ended or time.monotonic() > deadline:
                self._process.kill()
                raise AssertionError(f"of {self.count} viewers: {report}")
            time.sleep(0.1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate(timeout=_DEADLINE)

    def report(self) -> Report:
        """What they have seen since the last report."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        words = self._process.stdout.readline().split()
        assert len(words) == 13, "the viewers are gone"
        return Report(*(int(word) for word in words[:7]), *(float(word) for word in words[7:]))
