"""Inputs that are no transport stream, put into one by ffmpeg: copied, never transcoded."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import shutil
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from time import monotonic
from typing import BinaryIO
from urllib.parse import urlsplit

import gevent
from gevent.hub import get_hub
from gevent.socket import wait_read, wait_write

from kptv.errors import Reason, UpstreamError
from kptv.formats.addresses import scheme_of
from kptv.formats.identify import What
from kptv.pace import Pace
from kptv.upstream.appetite import Appetite, limit_memory

log = logging.getLogger(__name__)

# What ffmpeg may open, by the scheme of the input: what an input leads to may name no other
# (`file:`, `concat:`, `subfile:` would read this machine). Only these schemes are opened at all.
_WEB = "http,https,tcp,tls,crypto"
_RTMP = "rtmp,rtmps,rtmpt,rtmpts,rtmpe,rtmpte,http,https,tcp,tls"
_PROTOCOLS = {
    "http": _WEB,
    "https": _WEB,
    "rtsp": "rtsp,rtp,udp,tcp,tls",
    "rtsps": "rtsp,rtp,udp,tcp,tls",
    "rtmp": _RTMP,
    "rtmps": _RTMP,
    "rtmpt": _RTMP,
    "udp": "udp",
    "rtp": "rtp,udp",
}
ONLY_BY_REMUX = frozenset(_PROTOCOLS) - {"http", "https"}
# What it may be fed with, and the name that it has for that: told, it takes it for nothing else.
DEMUXERS = {
    What.MPEG_AUDIO: "mp3",
    What.ADTS: "aac",
    What.LOAS: "loas",
    What.AC3: "ac3",
    What.EAC3: "eac3",
    What.OGG: "ogg",
    What.FLAC: "flac",
    What.WAV: "wav",
    What.FLV: "flv",
    What.MPEG_PS: "mpeg",
    What.MATROSKA: "matroska",
    What.WEBM: "matroska",
    What.MP4: "mov",
    What.H264: "h264",
    What.H265: "hevc",
    What.MPEG_VIDEO: "mpegvideo",
    What.MPEG4_VIDEO: "m4v",
}
# Enough to know what is in it; the default waits for five seconds of media.
_PROBE = ("-probesize", "2000000", "-analyzeduration", "2000000")
_READ_SIZE = 256 * 1024  # bytes
_PIPE_SIZE = 1024 * 1024  # bytes; Linux gives so much to anyone
_ASKED_FOR = 5.0  # seconds in which a program says what it can do
_DEATH = 5.0  # seconds that a killed child takes at most; more, where the machine is at fault
_LONGEST_COMPLAINT = 2000  # letters that are looked at
_COMPLAINTS_KEPT = 20  # the last ones
_COMPLAINTS_LOGGED = 5  # of one child
_ENVIRONMENT = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")  # not ours: it holds provider URLs
_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]{0,20}://\S++|(?<![\w.-])[\w-]++(?>(?:\.[\w-]++)+)\S*+"
    r"|\[[0-9a-f:]{3,}+\]|'[^']*+'",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Input:
    """What ffmpeg reads. ``audio`` is where its sound is, if apart; ``headers`` are for HTTP.

    With a ``demuxer`` it has no address, and is fed with a body of that kind.
    """

    url: str = field(default="", repr=False)
    audio: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    cookies: tuple[str, ...] = field(default=(), repr=False)  # name=value, for the host of ``url``
    is_hls: bool = False
    paced: bool = False  # to be read no faster than it plays
    program: int = 0  # the number of the programme wanted; 0: any
    demuxer: str = ""
    only_sound: bool = False  # a picture in it is a cover
    encode_sound: bool = False  # no transport stream can hold it as it is


def remux(
    program: str,
    source: Input,
    name: str,
    silence: float,
    patience: Callable[[], float] = lambda: 0.0,
    body: Iterator[bytes] | None = None,
) -> Generator[bytes, None, None]:
    """The input as a transport stream, as it comes; ``name`` is for the log.

    ``body`` is what it is fed with, if it has no address. Raises UpstreamError: UNSUPPORTED where
    there is no ffmpeg, STALLED after ``silence`` seconds without a byte (more where ``patience``
    says so when it begins), ENDED when the child ended, and what ``body`` raises. The child is
    gone, and ``body`` is read no more, when the iterator is closed.
    """
    path = shutil.which(program) if program else None
    if path is None:
        raise UpstreamError(
            Reason.UNSUPPORTED, "needs ffmpeg, which is not there: install it, or set FFMPEG"
        )

    def waits() -> float:
        return max(silence, patience())

    if source.program:
        begun = False
        try:
            for data in _read(path, source, name, waits, body):
                begun = True
                yield data
        except UpstreamError as error:
            if begun or error.reason is not Reason.ENDED:
                raise
        log.info("%s: no programme %d in it: any", name, source.program)
    yield from _read(path, replace(source, program=0), name, waits, body)


def _read(
    path: str,
    source: Input,
    name: str,
    waits: Callable[[], float],
    body: Iterator[bytes] | None,
) -> Iterator[bytes]:
    """What one child makes of it; raises as ``remux`` does."""
    child = _Child(path, command(source, picky=source.is_hls and _is_picky(path)), body)
    try:
        while data := child.read(waits()):
            yield data
            child.check()
        if child.starved:
            raise child.starved
        complaint = child.complaints[-1] if child.complaints else "said nothing"
        raise UpstreamError(Reason.ENDED, f"ffmpeg: {complaint}")
    finally:
        child.end()
        for complaint in list(child.complaints)[:_COMPLAINTS_LOGGED]:
            log.warning("%s: ffmpeg: %s", name, complaint)


@lru_cache
def _is_picky(path: str) -> bool:
    """True for an ffmpeg that refuses segments with an unknown ending, unless told not to.

    Versions of 2025 and later do, and others do not know the option.
    """
    child = _Child(path, ["-hide_banner", "-h", "demuxer=hls"])
    told = b""
    try:
        while data := child.read(_ASKED_FOR):
            told += data
    finally:
        child.end()
    return b"extension_picky" in told


def command(source: Input, *, picky: bool = False) -> list[str]:
    """ffmpeg's arguments; ``picky``: see ``_is_picky``.

    Raises UpstreamError for an address that it must not open.
    """
    arguments = ["-hide_banner", "-nostdin", "-loglevel", "error"]
    if source.demuxer:
        return [*arguments, *_fed_options(source), *_output_options(source)]
    urls = [source.url] if source.audio is None else [source.url, source.audio]
    for url in urls:
        if picky:  # what may be opened is said by protocol, and what it is by its bytes
            arguments += ["-extension_picky", "0"]
        arguments += [*_input_options(url, source), "-i", url]
    return [*arguments, *_output_options(source)]


def _output_options(source: Input) -> list[str]:
    """Without the subtitles and data that a transport stream has no place for."""
    of = f"0:p:{source.program}" if source.program and source.audio is None else "0"
    picture = [] if source.only_sound else ["-map", f"{of}:v:0?"]
    sound = ["-map", f"{of}:a?" if source.audio is None else "1:a:0"]
    copied = ["-c", "copy", *(["-c:a", "aac", "-ac", "2"] if source.encode_sound else [])]
    return [*picture, *sound, *copied, "-f", "mpegts", "-flush_packets", "1", "pipe:1"]


def _fed_options(source: Input) -> list[str]:
    # Bare pictures have no times, which ffmpeg makes then.
    options = ["-protocol_whitelist", "pipe", *_PROBE, "-fflags", "+genpts"]
    return [*options, *(["-re"] if source.paced else []), "-f", source.demuxer, "-i", "pipe:0"]


def _input_options(url: str, source: Input) -> list[str]:
    scheme = scheme_of(url)
    if scheme not in _PROTOCOLS:
        raise UpstreamError(Reason.BAD_URL, "not an address that may be given to ffmpeg")
    options = ["-protocol_whitelist", _PROTOCOLS[scheme]]
    options += _PROBE
    if scheme in ("rtsp", "rtsps"):
        options += ["-rtsp_transport", "tcp"]
    if scheme in ("http", "https"):
        lines = [f"{name}: {value}\r\n" for name, value in _clean(source.headers)]
        options += ["-headers", "".join(lines)] if lines else []
        # ffmpeg compares the domain with the host as it stands in the URL, port and all.
        host = urlsplit(source.url).netloc.rpartition("@")[2]
        cookies = [f"{c}; path=/; domain={host}" for c in source.cookies if c.isprintable()]
        options += ["-cookies", "\n".join(cookies)] if cookies else []
    if source.is_hls:  # one socket an input: kept ones would be two, and three with read-ahead
        options += ["-http_persistent", "0", "-http_multiple", "0"]
    return [*options, "-re"] if source.paced else options


def _clean(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Those that cannot break out of their line."""
    for name, value in headers.items():
        if value and value.isprintable() and re.fullmatch(r"[A-Za-z0-9-]+", name):
            yield name, value


def without_addresses(text: str) -> str:
    """A complaint of ffmpeg's without URLs, hosts and names of files, fit for a terminal."""
    plain = "".join(c if c.isprintable() else " " for c in text[:_LONGEST_COMPLAINT])
    return _ADDRESS.sub("…", plain)[:200]


class _Child:
    """A running ffmpeg. No shell, no fork: posix_spawn copies none of this process's memory."""

    def __init__(
        self, path: str, arguments: Sequence[str], body: Iterator[bytes] | None = None
    ) -> None:
        """``body`` is what it reads at its standard input, as fast as it does; None: nothing."""
        self.starved: UpstreamError | None = None  # why there is no more of the body
        self.complaints: deque[str] = deque(maxlen=_COMPLAINTS_KEPT)
        # Else the first child of all, if it ends at once, does so unheard: a wait without end.
        get_hub().loop.install_sigchld()
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as its:
            try:
                self._out, out = _pipe(ours, its)
                self._err, err = _pipe(ours, its)
                inlet = _inlet(ours, its) if body is not None else None
                with contextlib.suppress(OSError, AttributeError):  # no more: more wake-ups
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
                    setsigdef=[signal.SIGPIPE],  # Python ignores it: a child must not inherit that
                )
            except OSError as error:
                raise UpstreamError(Reason.UNSUPPORTED, f"ffmpeg: {error.strerror}") from None
            except ValueError:  # a null in it
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
        """Raises UpstreamError where it takes more of a core than copying needs."""
        if self._pid is not None and self._appetite.is_too_large(self._pid, monotonic()):
            raise UpstreamError(Reason.UNSUPPORTED, "ffmpeg took more than half a core for long")

    def end(self) -> None:
        """Kill it, wait until it is gone, close what is open; may come twice.

        Who is killed meanwhile, because a viewer leaves while the stream fails, dies after that.
        """
        if self._pid is None:
            return
        pid, self._pid = self._pid, None
        ending = gevent.spawn(self._end, pid)
        try:
            ending.join()
        finally:
            while not ending.ready():
                with contextlib.suppress(BaseException):  # the first one goes on after this
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
            self._listener.join(timeout=1.0)  # what it said last is in the pipe
        finally:
            self._listener.kill()
            self._files.close()

    def _feed(self, body: Iterator[bytes], file: BinaryIO) -> None:
        try:
            with file:  # closed, it says that no more will come
                for data in body:
                    _write(file.fileno(), data)
        except UpstreamError as error:
            self.starved = error
        except BrokenPipeError:
            pass  # it has ended first, and says why

    def _listen(self) -> None:
        rest = b""
        pace = Pace()  # there may be no end of them
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
    """What to write to without waiting, and the end for a child."""
    reading, writing = os.pipe()
    its.callback(os.close, reading)
    os.set_blocking(writing, False)
    return ours.enter_context(os.fdopen(writing, "wb", buffering=0)), reading


def _pipe(ours: contextlib.ExitStack, its: contextlib.ExitStack) -> tuple[int, int]:
    """A pipe's end to read from without waiting, and the one for a child."""
    reading, writing = os.pipe()
    ours.callback(os.close, reading)
    its.callback(os.close, writing)
    os.set_blocking(reading, False)
    return reading, writing
