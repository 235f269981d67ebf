"""An upstream that is read before anybody wants it, so that a failover costs no time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, thread_time

import gevent
from gevent.event import Event

from kptv.errors import Reason, UpstreamError
from kptv.formats.mpegts.parameters import ParameterSets
from kptv.ports import FilmBody, Piece, Upstream
from kptv.restream.buffer import Budget
from kptv.restream.gathering import BURST_TICK, SMALL_TICK
from kptv.restream.portions import Portions
from kptv.splice.stock import Stock

TICK = 0.04  # seconds between two reads while nobody waits for them
SETTLED = 2.0  # seconds before the first standby of a channel: who zaps past it needs none


@dataclass(frozen=True, slots=True)
class Room:
    """The memory that standbys may use: each ``limit`` bytes, all within the buffers' budget."""

    budget: Budget
    limit: int


class ReadAhead:
    """An upstream (see ``ports.Upstream``) whose newest media is kept until somebody wants it.

    ``read`` runs in a greenlet of its own, before ``open`` and after. It never waits for whoever
    iterates, which gives what was kept, at the pace at which it plays.
    """

    def __init__(self, upstream: Upstream, first: Piece, room: Room, program: int) -> None:
        """``first`` came from ``upstream`` already. ``program``: the number of the one wanted."""
        self.heard_at = monotonic()  # when the last piece came
        self._upstream = upstream
        self._first: Piece | None = first
        self._budget = room.budget
        self._stock = Stock(room.limit, monotonic(), program)
        self._portions = Portions()
        self._counted = 0  # bytes, in the budget
        self._is_wanted = False  # somebody goes on with it
        self._reader: object = None  # the greenlet
        self._error: UpstreamError | None = None
        self._is_over = False
        self._news = Event()
        self._budget.open(self)

    def __repr__(self) -> str:
        return f"<ReadAhead {self._stock!r}{' wanted' if self._is_wanted else ''}>"

    @property
    def ready(self) -> bool:
        """There is a keyframe to go on from."""
        return self._stock.ready

    @property
    def sets(self) -> ParameterSets:
        """Its parameter sets, which may have come before what is kept."""
        return self._stock.sets

    # --- for the greenlet that reads ---

    def read(self, beat: Callable[[], None]) -> None:
        """Read until the upstream is over, and raise how; ``beat`` is called after each piece.

        It just returns if somebody goes on with the upstream, who is told how it ended.
        """
        self._reader = gevent.getcurrent()
        try:
            while (piece := self._next()) is not None:
                self._keep(piece)
                beat()
                gevent.sleep(SMALL_TICK if self._is_wanted else TICK)
                while self._stock.is_full:  # else it would grow if they are slower than it
                    gevent.sleep(SMALL_TICK)
            if not self._is_wanted:
                raise UpstreamError(Reason.ENDED, "a recording came to its end")
        except UpstreamError as error:
            self._error = error.to_keep()
            if not self._is_wanted:
                raise
        except Exception:
            self._error = UpstreamError(Reason.INTERNAL)
            raise
        finally:
            self._is_over = True
            self._news.set()

    def _next(self) -> Piece | None:
        first, self._first = self._first, None
        return first or next(self._upstream, None)

    def _keep(self, piece: Piece) -> None:
        self.heard_at = monotonic()
        left: Piece | None = piece
        while left is not None:
            portion, left = left.split(self._portions.size)
            before, now = thread_time(), monotonic()
            self._stock.add(portion, now)
            self._count()
            if self._portions.took(thread_time() - before) and left is not None:
                gevent.sleep(BURST_TICK)
        self._news.set()
        if not self._is_wanted and (trouble := self._stock.trouble(monotonic())):
            raise UpstreamError(Reason(trouble))

    # --- for whoever goes on with it ---

    def open(self, owed: float) -> None:
        """Its pieces are wanted; ``owed``: seconds that viewers had no media for."""
        self._is_wanted = True
        self._stock.open(owed, monotonic())
        self._count()

    def __iter__(self) -> ReadAhead:
        return self

    def __next__(self) -> Piece:
        while True:
            now = monotonic()
            if piece := self._stock.take(now):
                self._count()
                return piece
            due = self._stock.wait(now)
            if due is None and self._is_over:
                raise self._error or StopIteration
            self._news.clear()
            self._news.wait(due)

    @property
    def film(self) -> FilmBody | None:
        """None: what is read ahead is live."""
        return None

    def take_film(self) -> FilmBody | None:
        """None, as above."""
        return None

    def close(self) -> None:
        """Stop reading, close the upstream, and give the memory back; may come twice."""
        if isinstance(self._reader, gevent.Greenlet) and self._reader is not gevent.getcurrent():
            self._reader.kill()
        try:
            self._upstream.close()
        finally:
            self._stock.clear()
            self._count()
            self._budget.close(self)

    # --- its memory, as the budget sees it ---

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return self._stock.size

    def drop_oldest(self) -> bool:
        """Give memory back; False: none just now."""
        dropped = self._stock.drop_oldest()
        self._budget.used += self._stock.size - self._counted
        self._counted = self._stock.size
        self._news.set()  # more may be due
        return dropped

    def _count(self) -> None:
        self._budget.used += self._stock.size - self._counted
        self._counted = self._stock.size
        self._budget.trim()
