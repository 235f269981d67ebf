"""What a hub makes of one feed after another, and the segments that a cutter makes of that."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from kptv.splice.joining import Chunk
from kptv.splice.segments import Cutter, Segment
from tests.formats.ts_hub import Hub, merge


@dataclass
class Feeds:
    """The chunks of each feed."""

    hub: Hub = field(default_factory=Hub)
    of: list[list[Chunk]] = field(default_factory=list)

    def play(
        self, stream: bytes, seconds: float = 0.0, *, same: bool = False, clean: bool = False
    ) -> Feeds:
        """A feed, from its start to its end."""
        before = len(self.hub.chunks)
        self.hub.play(stream, seconds, same=same, clean=clean)
        self.of.append([chunk for chunk in self.hub.chunks[before:] if chunk])
        return self

    def fill(self) -> Feeds:
        """Filler between two feeds."""
        self.of.append([self.hub.splicer.filler()])
        return self

    @property
    def sent(self) -> bytes:
        """All that viewers got."""
        return b"".join(chunk.data for chunks in self.of for chunk in chunks)

    def at_once(self) -> Feeds:
        """The same, each feed in a single chunk."""
        return Feeds(self.hub, [[merge(chunks)] for chunks in self.of])

    def cut_anew(self, seed: int) -> Feeds:
        """The same in other chunks."""
        draw, clock, feeds = random.Random(seed), 0.0, []
        for chunks in self.of:
            feeds.append(_cut_anew(merge(chunks), clock, draw))
            clock = chunks[-1].clock
        return Feeds(self.hub, feeds)

    def segments(self, cutter: Cutter | None = None) -> list[Segment]:
        """The segments that a cutter makes of them."""
        cutter, out, number = cutter or Cutter(2.0), [], 0
        for chunks in self.of:
            for chunk in chunks:
                out += cutter.feed(number, chunk)
                number += 1
            if not chunks[-1].is_filler:
                out += cutter.end()
        return out


def data_of(*segments: Segment) -> bytes:
    """What a player that fetches these gets."""
    return b"".join(part for segment in segments for part in segment.parts)


def _cut_anew(chunk: Chunk, clock: float, draw: random.Random) -> list[Chunk]:
    """A chunk in pieces; as in a hub's, the clock of each is that of a picture that came."""
    if chunk.is_filler:
        return [chunk]
    count = len(chunk.data) // 188
    sizes = draw.choice(((1, 3), (1, 40), (20, 400), (300, 5000)))
    pieces: list[Chunk] = []
    begin = 0
    while begin < count:
        end = min(count, begin + draw.randint(*sizes))
        starts = [s for s in chunk.starts if begin * 188 <= s.offset < end * 188]
        clock = chunk.clock if end == count else starts[-1].clock if starts else clock
        pieces.append(
            replace(
                chunk,
                data=chunk.data[begin * 188 : end * 188],
                starts=tuple(start.at(start.offset - begin * 188) for start in starts),
                clock=clock,
                over=clock + chunk.over - chunk.clock,
            )
        )
        begin = end
    return pieces
