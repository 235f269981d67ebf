"""Inputs that are no transport stream, put into one by ffmpeg."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from functools import lru_cache

from kptv.errors import Reason, UpstreamError
from kptv.upstream.child import Child
from kptv.upstream.ffmpeg import Input, command

log = logging.getLogger(__name__)

_ASKED_FOR = 5.0  # seconds in which ffmpeg lists its options
_COMPLAINTS_LOGGED = 5  # of one child


def remux(
    program: str,
    input_: Input,
    name: str,
    silence: float,
    patience: Callable[[], float] = lambda: 0.0,
    body: Iterator[bytes] | None = None,
) -> Generator[bytes, None, None]:
    """The input as a transport stream, as it comes; ``name`` is for the log.

    ``body`` feeds an input that has no address. Raises UpstreamError: UNSUPPORTED if there is no
    ffmpeg, STALLED after ``silence`` seconds without a byte (more if ``patience`` says so when
    the silence begins), ENDED when the child has ended, and the errors of ``body``. When the
    iterator is closed, the child is gone and ``body`` is read no more.
    """
    path = shutil.which(program) if program else None
    if path is None:
        raise UpstreamError(
            Reason.UNSUPPORTED, "needs ffmpeg, which is not there: install it, or set FFMPEG"
        )

    def waits() -> float:
        return max(silence, patience())

    if input_.program:
        begun = False
        try:
            with closing(_read(path, input_, name, waits, body)) as read:
                for data in read:
                    begun = True
                    yield data
        except UpstreamError as error:
            if begun or error.reason is not Reason.ENDED:
                raise
        log.info("%s: no programme %d in it: any", name, input_.program)
    yield from _read(path, replace(input_, program=0), name, waits, body)


def _read(
    path: str,
    input_: Input,
    name: str,
    waits: Callable[[], float],
    body: Iterator[bytes] | None,
) -> Generator[bytes, None, None]:
    """What one child makes of it; raises as ``remux`` does."""
    child = Child(path, command(input_, picky=input_.is_hls and _is_picky(path)), body)
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
    """True for an ffmpeg that refuses HLS segments with an unknown ending, unless told not to.

    Versions since 2025 do; older ones do not know the option.
    """
    child = Child(path, ["-hide_banner", "-h", "demuxer=hls"])
    told = b""
    try:
        while data := child.read(_ASKED_FOR):
            told += data
    finally:
        child.end()
    return b"extension_picky" in told
