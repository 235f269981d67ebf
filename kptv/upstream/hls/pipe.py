"""Media on its way from the greenlet that fetches it to the generator that plays it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from gevent.event import Event

from kptv.formats.mpegts.seam import BORDER, BROKEN_OFF, SPLICE, TORN
from kptv.ports import Seam

MAX_BYTES = 8 * 1024**2  # fetched and not played yet; a full pipe stops the fetching
MAX_SEGMENTS = 2  # whole ones that wait behind the one that plays
_SMALLEST = 2 * 1024  # bytes; a smaller rest is taken with the bytes before it


@dataclass(frozen=True, slots=True)
class Batch:
    """Bytes, cut anywhere, and how long they play."""

    data: bytes | memoryview
    seconds: float
    seam: Seam | None = None  # between the bytes before and these


class Pipe:
    """A bounded queue of batches: one greenlet puts, another takes."""

    def __init__(self) -> None:
        self._batches: deque[Batch | None] = deque()  # None: the end of a segment
        self._bytes = 0
        self._segments = 0
        self._splice = False
        self._ended = False  # a part ended: the next bytes were made apart
        self._whole = True  # that part came to its end
        self._padding = 0.0  # seconds
        self._over: Exception | bool = False  # nothing more will be put: why, or True at a good end
        self._changed = Event()
        self.seconds = 0.0  # of media in it

    def __repr__(self) -> str:
        return f"<Pipe bytes={self._bytes} seconds={self.seconds:.1f}>"

    # --- The side that fetches ------------------------------------------------------------

    def splice(self) -> None:
        """The next bytes do not go on where the last ones ended."""
        self._splice = True

    def put(self, data: bytes, seconds: float) -> None:
        """Add media; waits while the pipe is full."""
        while self._bytes >= MAX_BYTES:
            self._wait()
        self._batches.append(Batch(data, seconds, self._seam()))
        self._bytes += len(data)
        self.seconds += seconds
        self._changed.set()

    def _seam(self) -> Seam | None:
        """The seam before the next batch, once."""
        splice, whole, ended = self._splice, self._whole, self._ended
        self._splice, self._whole, self._ended = False, True, False
        if splice:
            return SPLICE if whole else TORN
        return (BORDER if whole else BROKEN_OFF) if ended else None

    def pad(self, seconds: float) -> None:
        """Add media time that was not told with any bytes, since their number was not known."""
        self._padding += max(seconds, 0.0)

    def break_off(self) -> None:
        """The rest of a segment that was put in part will not come."""
        self._ended, self._whole = True, False

    def end_part(self) -> None:
        """The next bytes were made apart from the last ones."""
        self._ended = True

    def end_segment(self) -> None:
        """All bytes of a segment are in."""
        self.end_part()
        self._batches.append(None)
        self._segments += 1

    def wait_for_room(self, timeout: float) -> bool:
        """Wait until another segment may be fetched; False: not within ``timeout`` seconds."""
        if self._segments > MAX_SEGMENTS:
            self._wait(timeout)
        return self._segments <= MAX_SEGMENTS

    def finish(self, error: Exception | None) -> None:
        """Nothing more will be put: because of ``error``, or because all was sent (None)."""
        self._over = error or True
        self._changed.set()

    @property
    def failed(self) -> bool:
        """True if nothing more will be put, because of an error."""
        return isinstance(self._over, Exception)

    @property
    def empty(self) -> bool:
        """True if all has been taken."""
        return not self._bytes

    # --- The side that plays --------------------------------------------------------------

    def take(self, seconds: float) -> Batch | None:
        """About so many seconds of media, fewer if fewer are there; waits for the first bytes.

        None at a good end. Raises the error that ended it, once all media before it was taken.
        """
        while not self._bytes:
            self._drop_marks()
            if isinstance(self._over, Exception):
                raise self._over
            if self._over:
                return None
            self._wait()
        taken: list[Batch] = []
        left = seconds - self._padding
        self._padding = 0.0
        while self._batches:
            batch = self._batches[0]
            if batch is None:
                self._drop_marks()
                continue
            if taken and (batch.seam is not None or left <= 0):
                break
            taken.append(self._pop(left))
            left -= taken[-1].seconds
        self._changed.set()
        return Batch(b"".join(b.data for b in taken), seconds - left, taken[0].seam)

    def _pop(self, seconds: float) -> Batch:
        """The first batch, or about so many seconds of it."""
        batch = self._batches.popleft()
        assert batch is not None
        size = len(batch.data)
        seconds = max(seconds, 0.0)
        wanted = int(size * seconds / batch.seconds) if batch.seconds > seconds else size
        wanted = max(wanted, _SMALLEST)
        if wanted + _SMALLEST < size:
            rest = batch.seconds * (size - wanted) / size
            data = memoryview(batch.data)  # cut without copying what is left
            self._batches.appendleft(Batch(data[wanted:], rest))
            batch = Batch(data[:wanted], batch.seconds - rest, batch.seam)
        self._bytes -= len(batch.data)
        self.seconds -= batch.seconds
        return batch

    def _drop_marks(self) -> None:
        while self._batches and self._batches[0] is None:
            self._batches.popleft()
            self._segments -= 1

    def _wait(self, timeout: float | None = None) -> None:
        """Wait until the other side has done something."""
        self._changed.clear()
        self._changed.wait(timeout)
