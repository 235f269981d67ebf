"""How many connections are open, and who has to go where there are too many. Pure: no socket.

Theory of operation. A connection is *silent* until its request is there, and again between two
requests. Where all places are taken the one that has been silent longest is hung up: a client
with something to ask asks at once, so those are idle or drip. If nobody is silent the newcomer is
refused. The last places serve only what an operator needs, so that `/healthz` and the page answer
however many lists are being fetched.
"""

from __future__ import annotations

from collections.abc import Callable

EXTRA_CONNECTIONS = 1000  # beside viewers: lists, pages, scrapes, connections that are kept open
KEPT_FOR_OPERATORS = 100  # of them
SPARE_PLACES = 200  # more in gunicorn's pool: a refused client holds one for a moment


class Admission:
    """One connection's; give it back with ``leave`` (may come twice)."""

    __slots__ = ("_door", "hang_up")

    def __init__(self, door: Door, hang_up: Callable[[], None]) -> None:
        self._door = door
        self.hang_up = hang_up
        """Ends the connection, though somebody waits for it; waits for nothing."""

    def wait(self) -> None:
        """It has nothing to ask at the moment: it may be hung up for another."""
        if self in self._door.places:  # else it was hung up just now
            self._door.silent[self] = None

    def ask(self, *, vital: bool) -> bool:
        """A request is there. False where only ``vital`` ones are served now."""
        door = self._door
        door.silent.pop(self, None)
        return vital or door.busy <= door.limit - door.kept

    def leave(self) -> None:
        """It is over."""
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
        self._closed = False

    def __repr__(self) -> str:
        return f"<Door open={len(self.places)} silent={len(self.silent)} limit={self.limit}>"

    @property
    def busy(self) -> int:
        """Connections that are being answered."""
        return len(self.places) - len(self.silent)

    def enter(self, hang_up: Callable[[], None], *, scarce: bool = False) -> Admission | None:
        """A place for a new connection, which is silent yet; None: it is refused.

        ``scarce``: there is room for no more, however many places are free.
        """
        is_full = scarce or len(self.places) >= self.limit
        if self._closed or (is_full and not self._make_room()):
            return None
        place = Admission(self, hang_up)
        self.places.add(place)
        place.wait()
        return place

    def close(self) -> None:
        """Hang up all that are silent, and let nobody in any more; may come twice."""
        self._closed = True
        while self._make_room():
            pass

    def _make_room(self) -> bool:
        longest = next(iter(self.silent), None)
        if longest is None:
            return False
        longest.leave()
        longest.hang_up()
        return True
