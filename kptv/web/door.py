"""How many connections are open, and which has to go if there are too many. Pure: no socket.

Theory of operation. A connection is *silent* until its request is there, and again between two
requests. If all places are taken, the connection that has been silent longest is hung up: a client
with a question asks it at once, so a silent one is idle or sends very slowly. If none is silent,
the newcomer is refused. The last places serve only what an operator needs, so `/healthz` and the
page answer however many lists are being fetched.
"""

from __future__ import annotations

from collections.abc import Callable

EXTRA_CONNECTIONS = 1000  # besides viewers: lists, pages, scrapes, idle connections
KEPT_FOR_OPERATORS = 100  # of the extra ones
SPARE_PLACES = 200  # more in gunicorn's pool: a refused client holds one for a moment


class Admission:
    """A connection's place; give it back with ``leave`` (may come twice)."""

    __slots__ = ("_door", "hang_up")

    def __init__(self, door: Door, hang_up: Callable[[], None]) -> None:
        self._door = door
        self.hang_up = hang_up
        """Ends the connection at once, even if a greenlet waits for it."""

    def wait(self) -> None:
        """The client asks nothing at the moment: the connection may be hung up for another."""
        if self in self._door.places:  # otherwise it was hung up just now
            self._door.silent[self] = None
            if self._door.closed:  # it was answered meanwhile, and would only wait
                self._door.close()

    def ask(self, *, vital: bool) -> bool:
        """A request is there. False if only ``vital`` ones are served now."""
        door = self._door
        door.silent.pop(self, None)
        return vital or door.busy <= door.limit - door.kept

    def leave(self) -> None:
        """The connection is over."""
        self._door.silent.pop(self, None)
        self._door.places.discard(self)


class Door:
    """All connections of this process."""

    def __init__(self, limit: int, kept: int) -> None:
        """``limit`` places in all, of which ``kept`` are for vital requests only."""
        self.limit = limit
        self.kept = kept
        self.places: set[Admission] = set()
        self.silent: dict[Admission, None] = {}  # in the order in which they fell silent
        self.closed = False

    def __repr__(self) -> str:
        return f"<Door open={len(self.places)} silent={len(self.silent)} limit={self.limit}>"

    @property
    def busy(self) -> int:
        """How many connections are being answered."""
        return len(self.places) - len(self.silent)

    def enter(self, hang_up: Callable[[], None], *, scarce: bool = False) -> Admission | None:
        """A place for a new connection, which is silent at first; None: it is refused.

        ``scarce``: it needs the place of another, however many are free.
        """
        is_full = scarce or len(self.places) >= self.limit
        if self.closed or (is_full and not self._make_room()):
            return None
        place = Admission(self, hang_up)
        self.places.add(place)
        place.wait()
        return place

    def close(self) -> None:
        """Hang up all silent connections and refuse new ones; may come twice."""
        self.closed = True
        while self._make_room():
            pass

    def _make_room(self) -> bool:
        longest = next(iter(self.silent), None)
        if longest is None:
            return False
        longest.leave()
        longest.hang_up()
        return True
