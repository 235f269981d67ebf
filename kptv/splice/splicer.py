"""One programme that never ends, made of many upstreams that do.

How it works. A new upstream is *sought* first: its packets are kept back until its tables are
known and an access unit comes from which a decoder can start. From there it is *sent*: its PIDs
go out on those in use, its counters go on where they stood, its clocks are shifted so that time
goes on. What is made is *held* until every PES packet in it is whole: when the upstream dies, the
partial ones are taken out and no viewer ever sees them. Of the first upstream no packet is
rewritten but its tables.

The words: a *track* is a PID that viewers see, and lasts; a *lane* is the way of one PID of the
upstream to its track, and is open or closed. A *place* counts the packets made since the
beginning, a *number* those of the upstream, an *index* those of a block.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from kptv.formats.mpegts.elementary import ElementaryKind, Nature, has_rule
from kptv.formats.mpegts.inspection import Inspection, Unit, elementary_stream
from kptv.formats.mpegts.inspector import Inspector
from kptv.formats.mpegts.packets import NULL_PACKET
from kptv.formats.mpegts.parameters import with_sets
from kptv.formats.mpegts.programs import Program
from kptv.splice.holding import Hold
from kptv.splice.idr import Idr, idr_of
from kptv.splice.joining import Chunk, StartPoint
from kptv.splice.outgoing import OutgoingProgram
from kptv.splice.seeker import Memory, Seeker
from kptv.splice.sender import Sender
from kptv.splice.stats import Stats, Tally, stats_of
from kptv.splice.timeline import Timeline
from kptv.splice.watch import Trouble, Watch

FILLER_NULLS = 7  # null packets in a piece of filler: 1.3 KB, what fits in one datagram


@dataclass(slots=True)
class SpliceCounts:
    """What has happened to the programme so far."""

    splices: int = 0
    jumps: int = 0  # within an upstream: its clock stepped, or too much came at once
    replays: int = 0  # reconnects that went on where they had broken off
    blind_starts: int = 0  # without a keyframe, because none came in time


class Splicer:
    """Packets of one upstream after another in, one programme out. Raises on no input.

    One per hub: ``open``, ``feed`` and so on, ``close``, and again. ``now`` is in seconds, of a
    clock that never runs back.
    """

    def __init__(self) -> None:
        self.counts = SpliceCounts()
        self._inspector = Inspector()
        self._programme = OutgoingProgram()
        self._timeline = Timeline()
        self._hold = Hold()
        self._memory = Memory()
        self._seeker: Seeker | None = None
        self._sender: Sender | None = None
        self._clock = 0.0
        self._watch = Watch(0.0)
        self._meter = Tally()
        self._received = 0  # bytes of whole packets
        self._lost = 0, 0  # bytes that were in no packet, losses of sync
        self._waiting: Sequence[tuple[Inspection, int]] = ()  # for what their first unit is

    def __repr__(self) -> str:
        state = "sending" if self._sender else "seeking" if self._seeker else "closed"
        return f"<Splicer {state} clock={self._clock:.1f}>"

    @property
    def tables(self) -> bytes:
        """PAT and PMT in force, as packets; nothing before the first keyframe."""
        return self._programme.last_tables

    @property
    def started(self) -> bool:
        """Whether anything was made for viewers yet."""
        return self._programme.lead is not None

    @property
    def sending(self) -> bool:
        """Whether the upstream that is open has been let in: what it sends reaches viewers."""
        return self._sender is not None

    @property
    def began(self) -> float:
        """Media time, as in chunks, at which the last upstream was let in."""
        return self._timeline.began

    @property
    def radio(self) -> Nature | None:
        """What the sound of a channel without pictures is; None: it has pictures."""
        lead = self._programme.lead
        return lead.nature if lead and lead.nature.kind is ElementaryKind.AUDIO else None

    @property
    def stats(self) -> Stats:
        """Of the upstream that is, or was last, open."""
        return stats_of(self._inspector, self._meter, *self._lost)

    def trouble(self, now: float) -> Trouble | None:
        """What is wrong with the upstream although it sends. Ask after reads and on ticks."""
        if not self._seeker and not self._sender:
            return None
        bytes_dropped, _ = self._lost
        return self._watch.look(now, self._inspector, self._received + bytes_dropped)

    @property
    def gap_filled(self) -> float:
        """Seconds of media time that were skipped because time had passed."""
        return self._timeline.seconds(self._timeline.gap_filled + (self._timeline.origin or 0))

    def open(self, now: float, *, same_stream: bool, program: int = 0) -> None:
        """A new upstream begins. ``same_stream``: the one before it, connected to once more.

        ``program``: the number of the one of its programmes that is wanted; 0: any.
        """
        if self._seeker or self._sender:
            self._end(clean=False)
        memory = self._memory if same_stream else None
        self._memory = self._memory if same_stream else Memory()
        self._watch = self._watch.again(now) if same_stream else Watch(now)
        self._meter, self._received, self._lost = Tally(), 0, (0, 0)
        near = self._memory.last_dts
        sets = self._inspector.sets if same_stream else None
        self._inspector = Inspector(near if near is not None else 0, program, sets)
        self._seeker = Seeker(now, splice=self.started, memory=memory)

    def feed(self, packets: bytes, now: float) -> Chunk:
        """Whole packets of the upstream in; returns what viewers get now, which may be nothing."""
        self._received += len(packets)
        if packets:
            self._take(packets, now)
        return self._release(now)

    def lost(self, bytes_dropped: int, sync_losses: int) -> None:
        """Note for ``stats`` how much of the upstream was in no whole packet so far."""
        self._lost = bytes_dropped, sync_losses

    def cross(self, now: float, *, whole: bool) -> Chunk:
        """What comes next was made apart from what came: the next of a stream's segments.

        ``whole``: what came ended where it should, so that nothing is missing.
        """
        self._inspector.cross()
        if not whole:
            self._deal(self._waiting, now, final=True)
        if self._sender and whole:
            self._sender.cross()
        elif self._sender:
            program = self._sender.program
            self._end(clean=False)
            first = self._inspector.packets
            self._seeker = Seeker(now, splice=True, first=first, program=program)
        return self._release(now)

    def close(self, now: float, *, clean: bool = False) -> Chunk:
        """The upstream is gone. What is whole of what was held; the rest is dropped.

        ``clean``: it ended where one of its units ends, as an HLS segment does.
        """
        self._deal(self._waiting, now, final=True)
        self._end(clean=clean)
        return self._release(now)

    def filler(self) -> Chunk:
        """Something that keeps players and proxies waiting: tables and null packets.

        Nothing before the first media; only null packets while a unit is held back.
        """
        if not self.started:
            return Chunk(b"")
        data = b""
        if self._hold.base == self._hold.made:
            self._hold.add(self._programme.next_pat() + self._programme.next_pmt())
            data, _ = self._hold.release(self._hold.made)
        return self._chunk(data + NULL_PACKET * FILLER_NULLS, ())

    def _take(self, packets: bytes, now: float) -> None:
        """Deal with whole packets; a break in them begins a new search."""
        scanned = self._inspector.scan(packets)
        self._watch.note(scanned, self._inspector.program)
        self._meter.note(scanned, self._inspector.clock, now)
        self._deal([*self._waiting, (scanned, 0)], now, final=False)

    def _deal(self, parts: Sequence[tuple[Inspection, int]], now: float, *, final: bool) -> None:
        """Deal with packets that were looked at; ``final``: nothing more will tell of them."""
        work = deque(parts)
        self._waiting = ()
        while work:
            scan, start = work.popleft()
            if start >= scan.count:
                continue
            if self._sender:
                stop, over = self._sender.send(scan, start, self._timeline.limit(now), final=final)
                work.appendleft((scan, stop))
                if self._sender.awaits:
                    self._waiting = tuple(work)
                    return
                if over:
                    self.counts.jumps += 1
                    program, first = self._sender.program, scan.first + stop
                    self._end(clean=False)
                    self._seeker = Seeker(now, splice=True, first=first, program=program)
            elif self._seeker:
                work.extendleft(reversed(self._look(self._seeker, scan, start, now)))

    def _look(
        self, seeker: Seeker, scan: Inspection, start: int, now: float
    ) -> list[tuple[Inspection, int]]:
        """What there is to send, once the place to start from is found."""
        ahead = self._timeline.too_far_ahead(self._programme.lead, now)
        key = seeker.look(scan, start, now, ahead=ahead)
        if key is None or seeker.program is None:
            return []
        found = seeker.take(key.number)
        opening = None
        if key is seeker.fallback:
            unit = elementary_stream(key, [scan for scan, _ in found])
            opening = idr_of(with_sets("h264", unit, key.sets))  # of other codecs none is sought
        self._start(seeker, seeker.program, key, now, opening)
        return found

    def _start(
        self, seeker: Seeker, program: Program, key: Unit, now: float, opening: Idr | None
    ) -> None:
        """Send the upstream from this unit on, ``opening`` before or instead of it."""
        first = not self.started
        if seeker.replayed:
            self.counts.replays += 1
        else:
            same = self._memory.last_dts is not None
            # Where sound leads, as on radio, it must not run into the sound that went out.
            sound = program.natures[key.pid].kind is ElementaryKind.AUDIO
            earliest = self._programme.sound_end() if sound else None
            lead = self._programme.lead
            frames = 2 if opening and not opening.instead else 1
            self._timeline.start(key, lead, now, same=same, earliest=earliest, frames=frames)
            self.counts.splices += not first
        self.counts.blind_starts += seeker.blind
        self._seeker = None
        self._sender = Sender(
            self._inspector,
            program,
            self._programme,
            self._timeline,
            self._hold,
            self._memory,
            key,
            opening=opening,
            first=first,
            replay=seeker.replayed,
            blind=seeker.blind and not has_rule(program.natures[key.pid].codec),
        )

    def _end(self, *, clean: bool) -> None:
        if self._sender:
            self._sender.end(clean=clean)
        self._sender = self._seeker = None
        self._waiting = ()

    def _release(self, now: float) -> Chunk:
        boundary = self._sender.boundary if self._sender else self._hold.made
        data, starts = self._hold.release(boundary)
        lead = self._programme.lead
        if lead is not None and lead.dts is not None:
            self._clock = self._timeline.seconds(lead.dts)
        if data and self._sender:
            self._timeline.observe(lead, now)
        return self._chunk(data, starts)

    def _chunk(self, data: bytes, starts: tuple[StartPoint, ...]) -> Chunk:
        return Chunk(data, starts, self._clock, self._hold.tables_version)
