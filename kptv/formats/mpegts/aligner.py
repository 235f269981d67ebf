"""Whole packets out of bytes cut anywhere.

How it works. While in sync, a packet is handed on when the byte after it (the next packet's first)
is a sync byte too. A packet that was cut short has the head of another in its tail: it is dropped.
The price is that the last packet waits for one more byte, or for ``flush``. Out of sync, packets
are taken to start at an offset if four sync bytes stand at equal steps from it. Both decisions look
at a fixed number of bytes, never at how the bytes were cut into reads, so any cut gives the same
packets.

For a stream that comes in parts (HLS segments), call ``end_part`` between two: the last packet of a
part is then not judged by the first bytes of the next, which may be junk. A packet that was cut
there is whole again if the next part begins with its rest: some servers cut segments by bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kptv.formats.mpegts import PACKET_SIZE, SYNC_BYTE

# 188; with a time stamp before each packet (BDAV, "m2ts"); with Reed-Solomon parity behind (DVB).
STRIDES = (PACKET_SIZE, 192, 204)
SYNCS = 4  # sync bytes in a row that make a stream: by chance at 1 offset in 1,400 million
SEARCH_WINDOW = 2048  # garbage that a transport stream may begin with
SYNC_SPAN = (SYNCS - 1) * max(STRIDES) + 1  # bytes that decide on one offset
PROBE_SIZE = SEARCH_WINDOW + SYNC_SPAN - 1  # bytes with which `sniff` always has an answer

_SYNC = bytes((SYNC_BYTE,))
_STARTS = re.compile(
    b"|".join(b"G(?=(?:.{%d}G){%d})" % (stride - 1, SYNCS - 1) for stride in STRIDES), re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Sync:
    """Where packets start, and how many bytes lie from one start to the next."""

    offset: int
    stride: int


def find_sync(data: bytes, *, final: bool = False) -> Sync | None:
    """Where packets start first; None: nowhere, as far as that can be decided yet.

    ``final``: no more bytes will come, and two packets from the first byte on are enough.
    """
    match = _STARTS.search(data)
    if match and (final or match.start() <= len(data) - SYNC_SPAN):
        return Sync(match.start(), _stride_at(data, match.start()))
    if final and 2 * PACKET_SIZE <= len(data) < SYNC_SPAN and _stride_at(data, 0):
        return Sync(0, _stride_at(data, 0))
    return None


def sniff(data: bytes, *, final: bool = False) -> bool | None:
    """Whether a body that begins with ``data`` is a transport stream; None: too short to tell.

    It is never None if ``data`` has ``PROBE_SIZE`` bytes, or is the whole body (``final``).
    """
    whole = final or len(data) >= PROBE_SIZE
    if find_sync(data[:PROBE_SIZE], final=final and len(data) <= PROBE_SIZE):
        return True
    return False if whole else None


def _stride_at(data: bytes, offset: int) -> int:
    """The smallest stride with a sync byte at each of its steps, as far as ``data`` goes."""
    for stride in STRIDES:
        heads = data[offset : offset + SYNCS * stride : stride]
        if heads.count(_SYNC) == len(heads):
            return stride
    return 0


class Aligner:
    """Bytes of one upstream in, whole packets of 188 bytes out. Raises on no input."""

    __slots__ = (
        "_last",
        "_pending",
        "_stride",
        "_torn",
        "bytes_dropped",
        "joined",
        "sync_losses",
    )

    def __init__(self) -> None:
        self._pending = b""  # in sync: from the head of a packet on
        self._stride = 0  # 0: out of sync
        self._last = b""  # the packet behind which sync was lost
        self._torn = b""  # the start of a packet that was cut at the end of a part
        self.joined = False  # a packet that was cut between the last two parts is whole again
        self.bytes_dropped = 0  # garbage, and packets that were cut short
        self.sync_losses = 0

    def __repr__(self) -> str:
        return f"<Aligner stride={self._stride} pending={len(self._pending)}>"

    def feed(self, data: bytes) -> bytes:
        """The packets that are now known to be whole: a multiple of 188 bytes, or none.

        The last packet waits for the byte after it, or for ``flush``.
        """
        run = self._next_run(data)
        if run is None:
            self._pending = self._pending + data if self._pending else data
            run = self._take(final=False)
        return run

    def _next_run(self, data: bytes) -> bytes | None:
        """The packets of ``data`` that is in sync, by one copy; None: it takes a closer look."""
        first = -len(self._pending) % PACKET_SIZE  # where in ``data`` the next head is
        heads = data[first::PACKET_SIZE]
        if self._stride != PACKET_SIZE or not heads or heads.count(_SYNC) < len(heads):
            return None
        end = first + (len(heads) - 1) * PACKET_SIZE
        run = self._pending + memoryview(data)[:end]
        self._pending = data[end:]
        return run

    @property
    def torn(self) -> bool:
        """Whether the last packet of the last part lacks its end, of which nothing came yet."""
        return bool(self._torn)

    def end_part(self) -> bytes:
        """The packets left at the end of a part; another part of the stream comes next."""
        packets = self._take(final=True)
        self._drop_torn()
        if self._last:  # only junk came behind it, so it may be whole
            packets, self._last = packets + self._last, b""
            self.bytes_dropped -= PACKET_SIZE
        self.joined = False
        rest, in_sync = self._pending, bool(self._stride)
        self._pending, self._stride = b"", 0
        if in_sync and len(rest) < PACKET_SIZE and rest.startswith(_SYNC):
            self._torn = rest
        else:
            self.bytes_dropped += len(rest)
        return packets

    def flush(self) -> bytes:
        """The packets left at the end of the stream; a new stream comes next."""
        packets = self.end_part()
        self._drop_torn()
        return packets

    def _take(self, *, final: bool) -> bytes:
        runs: list[bytes] = []
        while self._stride or self._search(final=final):
            runs.append(self._take_run(final=final))
            if self._stride:
                break
        return runs[0] if len(runs) == 1 else b"".join(runs)

    def _search(self, *, final: bool) -> bool:
        """Get in sync, and drop the bytes before the first packet; False: more are needed."""
        sync = find_sync(self._pending, final=final)
        undecided = max(0, len(self._pending) - SYNC_SPAN + 1)  # offsets from here need more bytes
        if self._torn and not sync and undecided <= max(STRIDES):
            return False
        if sync and self._torn and len(self._torn) + sync.offset == sync.stride:
            self._pending, self._torn = self._torn + self._pending, b""
            sync, self.joined = Sync(0, sync.stride), True
        self._drop_torn()
        start = sync.offset if sync else undecided
        self._stride = sync.stride if sync else 0
        if sync:
            self._last = b""
        self._drop(start)
        return sync is not None

    def _take_run(self, *, final: bool) -> bytes:
        """All packets up to the end or to where sync is lost; then ``_stride`` is 0."""
        data, stride = self._pending, self._stride
        heads = data[::stride]
        good = len(heads) - len(heads.lstrip(_SYNC))
        count = max(0, good - 1)  # packets whose next head is a sync byte
        lost = good < len(heads)
        if final and not lost and len(data) - count * stride >= PACKET_SIZE:
            count += 1
        self._pending = data[count * stride :]
        if lost:  # the next packet may start anywhere in the one that has no head after it
            self.sync_losses += 1
            self._stride = 0
            if len(self._pending) >= PACKET_SIZE:
                self._last = self._pending[:PACKET_SIZE]
            self._drop(1)
        if stride == PACKET_SIZE:
            return data[: count * stride]
        starts = range(0, count * stride, stride)
        return b"".join([data[start : start + PACKET_SIZE] for start in starts])

    def _drop_torn(self) -> None:
        self.bytes_dropped += len(self._torn)
        self._torn = b""

    def _drop(self, count: int) -> None:
        if count:
            self.bytes_dropped += count
            self._pending = self._pending[count:]
