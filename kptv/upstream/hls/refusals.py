"""Why a segment is refused: a request for another one with the same token tells."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from kptv.errors import UpstreamError
from kptv.formats.hls.playlist import MediaSegment
from kptv.upstream.answers import hang_up
from kptv.upstream.hls.requester import Requester, read_all

# Statuses that mean that the token in an address is over, or that a segment is not there yet.
REFUSED = frozenset((401, 403, 410))
_MISSING = 404  # the server has looked for it, so the token was good
_READ = 1024  # bytes that are read at most


class Word(Enum):
    """What the answer for another segment says of the one that was refused."""

    GOOD = auto()  # the token is good: the refused one is not there yet
    OVER = auto()  # it is refused too
    NONE = auto()  # there is no other, or it could not be asked


def asked_instead(
    neighbours: Sequence[MediaSegment], refused: MediaSegment, had: int, *, of_key: bool
) -> tuple[str, int]:
    """The URL and the byte to ask for, to learn whether the token is good; empty: there is none.

    It is that of the segment before, if that one has come (its number is ``had``). Otherwise it is
    that of the oldest one, since several may be listed too early. ``of_key``: the key was refused.
    """
    if of_key:
        mine = refused.key.uri if refused.key else None
        uris = (s.key.uri for s in reversed(neighbours) if s.key and s.key.uri != mine)
        return next(filter(None, uris), ""), 0
    if not neighbours:
        return "", 0
    last = neighbours[-1]
    other = last if last.media_sequence == had else neighbours[0]
    return other.uri, other.byte_range.start if other.byte_range else 0


def ask(http: Requester, url: str, start: int, silence: float) -> Word:
    """Ask for one byte of what is at ``url``; if that is empty, ask nothing."""
    if not url:
        return Word.NONE
    try:
        response = http.get(url, start=start, end=start + 1, silence=silence, again=False)
    except UpstreamError as error:
        if error.status in REFUSED:
            return Word.OVER
        return Word.GOOD if error.status == _MISSING else Word.NONE
    try:
        if response.status_code == 206:  # one byte: once it is read, the connection can be kept
            read_all(response, _READ)
    except UpstreamError:
        pass  # the status has told enough
    finally:
        hang_up(response)
    return Word.GOOD
