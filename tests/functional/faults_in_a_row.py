"""What goes wrong with a channel that two streams have, one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from tests.provider import Bad, Stream


def playing(streams: Sequence[Stream]) -> Stream:
    """The one that is open."""
    return next(stream for stream in streams if stream.connections)


def cut(streams: Sequence[Stream]) -> None:
    """The connection breaks; it can be made anew."""
    playing(streams).break_now(Bad.RESET)


def refuse(streams: Sequence[Stream]) -> None:
    """The connection breaks, and that stream plays no more."""
    stream = playing(streams)
    stream.fail_with(403)
    stream.break_now(Bad.RESET)


def stall(streams: Sequence[Stream]) -> None:
    """The connection stays open and is silent."""
    playing(streams).break_now(Bad.SILENCE)


IN_A_ROW = (cut, stall, refuse)
