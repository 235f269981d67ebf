"""Ends something at each turn of the event loop, and looks for what it left behind.

A greenlet gives way only where it waits, so all moments at which it can be killed are the turns of
the loop between its beginning and its end: they are few, and each is tried.
"""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
import greenlet  # type: ignore[import-untyped]
from gevent.greenlet import Greenlet
from gevent.hub import get_hub

LIMIT = 10.0  # seconds; what hangs, fails
_MOST_TURNS = 2000
_QUIET = 0.3  # seconds; then all is over that the first run has left to the loop


@dataclass(frozen=True, slots=True)
class Held:
    """What a process has open: descriptors by kind, greenlets, children."""

    descriptors: Counter[str]
    greenlets: int
    children: int


def held() -> Held:
    """What is open now. Nothing here collects garbage: what only that would close, is open."""
    descriptors: Counter[str] = Counter()
    for number in os.listdir("/proc/self/fd"):
        try:
            kind = os.readlink(f"/proc/self/fd/{number}").split(":")[0]
        except OSError:
            continue  # of the listing itself
        descriptors[kind] += 1
    greenlets = sum(isinstance(o, Greenlet) and bool(o) for o in gc.get_objects())
    with open(f"/proc/self/task/{os.getpid()}/children") as children:
        return Held(descriptors, greenlets, len(children.read().split()))


def at_each_turn(
    begin: Callable[[], Greenlet],
    end: Callable[[Greenlet], object],
    check: Callable[[], object] = lambda: None,
) -> int:
    """How many turns there were, from the beginning of ``begin`` to its greenlet's own end.

    At each, with all begun anew, ``end`` is called; after it, and what it leaves to the loop, the
    process must hold what it held before, and ``check`` must not raise.
    """
    _settled(begin(), None)  # what is made once and kept is made now
    gevent.sleep(_QUIET)
    check()
    before = held()
    for turn in range(1, _MOST_TURNS):
        was_ended = _end_at(turn, begin(), end)
        _settled(None, before, turn)
        check()
        if not was_ended:
            return turn - 1
    raise AssertionError("it does not end by itself")


def _end_at(turn: int, victim: Greenlet, end: Callable[[Greenlet], object]) -> bool:
    """Call ``end`` in the loop's turn of this number from now; False: it was over before."""
    hub, seen, ended = get_hub(), 0, False

    def now() -> None:
        nonlocal ended
        if not victim.dead:
            ended = True
            end(victim)

    def trace(event: str, switch: tuple[Any, Any]) -> None:
        nonlocal seen
        if switch[1] is hub:
            seen += 1
            if seen == turn:
                hub.loop.run_callback(now)

    greenlet.settrace(trace)
    try:
        _settled(victim, None, turn)
    finally:
        greenlet.settrace(None)
    return ended


def _settled(victim: Greenlet | None, wanted: Held | None, turn: int = 0) -> None:
    """Wait until ``victim`` is over, and the process holds no more than ``wanted``."""
    try:
        with gevent.Timeout(LIMIT):
            if victim is not None:
                gevent.joinall([victim], raise_error=True)
            while wanted is not None and held() != wanted:
                gevent.sleep(0.001)
    except gevent.Timeout:
        raise AssertionError(f"turn {turn}: {victim or held()}, wanted {wanted}") from None
