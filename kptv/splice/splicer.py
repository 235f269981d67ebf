"""One programme that never ends, made of many upstreams that do.

How it works. A new upstream is *sought* first: its packets are kept back until its tables are
known and an access unit comes from which a decoder can start. From there on it is *sent*: its PIDs
go out on those in use, its counters go on from the last ones, and its clocks are shifted so that
time goes on. Packets made for viewers are *held* until every PES packet among them is whole. If
the upstream dies, the partial ones are taken out, and no viewer ever sees them. The packets of the
first upstream are not rewritten, but for its tables.

Words. The *outgoing* programme is what viewers see; each upstream has a programme of its own. A
*track* is a PID of the outgoing programme, and lasts. A *lane* is the way of one PID of the
upstream to its track, and is open or closed. The *lead* is the PID of the first video, or of the
first sound if there is no video: viewers start at its keyframes. A packet has a *number* among
those of its upstream, an *index* in its block, and a *place* among all that were made for viewers.
The *position* of a sender is the number of the packet that it deals with next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from kptv.formats.mpegts.elementary import ElementaryKind, Nature
from kptv.formats.mpegts.inspection import Inspection
from kptv.formats.mpegts.inspector import Inspector
from kptv.formats.mpegts.packets import NULL_PACKET
from kptv.formats.mpegts.parameters import ParameterSets
from kptv.splice.joining import Chunk, StartPoint
from kptv.splice.outgoing import OutgoingProgram
from kptv.splice.seeker import Found, Memory, Seeker
from kptv.splice.sender import Sender, Then
from kptv.splice.stats import Stats, Tally, stats_of
from kptv.splice.watch import Trouble, Watch

FILLER_NULLS = 7  # null packets in a piece of filler: 1.3 KB, what fits in one datagram


class Splicer:
    """Packets of one upstream after another in, one programme out. Raises on no input.

    One per hub: ``open``, ``feed`` and so on, ``close``, and again. ``now`` is in seconds, of a
    clock that never runs back.
    """

    def __init__(self, skip_beyond: float | None = None) -> None:
        """``skip_beyond``: a way of dealing with lost time that benchmarks compare; see Reserve."""
        self._inspector = Inspector()
        self._outgoing = OutgoingProgram(skip_beyond)
        self._memory = Memory()
        self._seeker: Seeker | None = None
        self._sender: Sender | None = None
        self._clock = self._over = 0.0  # as in Chunk
        self._watch = Watch(0.0)
        self._tally = Tally()
        self._received = 0  # bytes of whole packets
        self._lost = 0, 0  # bytes that were in no packet, losses of sync
        # Packets whose first unit is not clear yet, and the index in each where they start.
        self._waiting: Sequence[tuple[Inspection, int]] = ()

    def __repr__(self) -> str:
        state = "sending" if self._sender else "seeking" if self._seeker else "closed"
        return f"<Splicer {state} clock={self._clock:.1f}>"

    @property
    def started(self) -> bool:
        """Whether anything was made for viewers yet."""
        return self._outgoing.lead is not None

    @property
    def sending(self) -> bool:
        """Whether the upstream that is open was let in, so that its media reaches viewers."""
        return self._sender is not None

    @property
    def starting(self) -> bool:
        """Whether viewers wait only for the rest of the unit that the upstream starts with."""
        return self._sender is not None and self._sender.starting

    @property
    def began(self) -> float:
        """Media time, as in chunks, at which the last upstream was let in."""
        return self._outgoing.timeline.began

    @property
    def radio(self) -> Nature | None:
        """The nature of the sound if the channel has no pictures, else None."""
        lead = self._outgoing.lead
        return lead.nature if lead and lead.nature.kind is ElementaryKind.AUDIO else None

    @property
    def stats(self) -> Stats:
        """The figures of the upstream that is open, or was last."""
        return stats_of(self._inspector, self._tally, *self._lost)

    def trouble(self, now: float) -> Trouble | None:
        """What is wrong with the upstream although it sends. Ask after reads and on ticks."""
        if not self._seeker and not self._sender:
            return None
        bytes_dropped, _ = self._lost
        return self._watch.look(now, self._inspector, self._received + bytes_dropped)

    def open(
        self,
        now: float,
        *,
        same_stream: bool,
        program: int = 0,
        sets: ParameterSets | None = None,
    ) -> None:
        """A new upstream begins. ``same_stream``: it is the last one, connected to once more.

        ``program``: the number of its programme that is wanted; 0: any. ``sets``: its parameter
        sets, if some came before what is fed.
        """
        if self._seeker or self._sender:
            self._end(clean=False)
        memory = self._memory if same_stream else None
        self._memory = self._memory if same_stream else Memory()
        self._watch = self._watch.again(now) if same_stream else Watch(now)
        self._tally, self._received, self._lost = Tally(), 0, (0, 0)
        near = self._memory.last_dts
        if sets is None and same_stream:
            sets = self._inspector.sets
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
        """The next segment of a stream begins, which was made apart from the one before.

        ``whole``: the one before ended where it should, so that nothing is missing.
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
        """The upstream is gone: whole units that were held go out, partial ones are dropped.

        ``clean``: it ended where one of its units ends, as an HLS segment does.
        """
        self._deal(self._waiting, now, final=True)
        self._end(clean=clean)
        return self._release(now)

    def filler(self) -> Chunk:
        """Something that keeps players and proxies waiting: tables and null packets.

        It is empty before the first media, and has no tables while a unit is held back.
        """
        if not self.started:
            return Chunk(b"")
        data = b""
        hold = self._outgoing.hold
        if hold.is_empty:
            hold.add(self._outgoing.next_pat() + self._outgoing.next_pmt())
            data, _ = hold.release(hold.made)
        return replace(self._chunk(data + NULL_PACKET * FILLER_NULLS, ()), is_filler=True)

    def _take(self, packets: bytes, now: float) -> None:
        """Inspect packets and deal with them."""
        scanned = self._inspector.scan(packets)
        self._watch.note(scanned, self._inspector.program)
        self._tally.note(scanned, self._inspector.clock, now)
        self._deal([*self._waiting, (scanned, 0)], now, final=False)

    def _deal(self, parts: Sequence[tuple[Inspection, int]], now: float, *, final: bool) -> None:
        """Deal with packets that were inspected; ``final``: none will come that tell more."""
        work = deque(parts)
        self._waiting = ()
        while work:
            scan, start = work.popleft()
            if start >= scan.count:
                continue
            if self._sender:
                limit = self._outgoing.timeline.limit(now)
                stop, then = self._sender.send(scan, start, limit, final=final)
                work.appendleft((scan, stop))
                if then is Then.LATER:
                    self._waiting = tuple(work)
                    return
                if then is Then.OVER:
                    program, first = self._sender.program, scan.first + stop
                    self._end(clean=False)
                    self._seeker = Seeker(now, splice=True, first=first, program=program)
            elif self._seeker and (found := self._look(self._seeker, scan, start, now)):
                self._start(found, now)
                work.extendleft(reversed(found.packets))

    def _look(self, seeker: Seeker, scan: Inspection, start: int, now: float) -> Found | None:
        """The place to start from, once it is found."""
        lead = self._outgoing.lead
        ample = lead is not None and self._outgoing.timeline.is_ample(lead.dts, now)
        return seeker.look(scan, start, now, ample=ample)

    def _start(self, found: Found, now: float) -> None:
        """Send the upstream from the unit that was found."""
        if not found.replayed:
            frames = 2 if found.opening and not found.opening.instead else 1
            sound = found.nature.kind is ElementaryKind.AUDIO
            same = self._memory.last_dts is not None
            self._outgoing.begin(found.key, now, frames=frames, sound=sound, same=same)
        self._seeker = None
        self._sender = Sender(self._inspector, self._outgoing, self._memory, found)

    def _end(self, *, clean: bool) -> None:
        if self._sender:
            self._sender.end(clean=clean)
        self._sender = self._seeker = None
        self._waiting = ()

    def _release(self, now: float) -> Chunk:
        outgoing = self._outgoing
        boundary = self._sender.boundary if self._sender else outgoing.hold.made
        data, starts = outgoing.hold.release(boundary)
        lead = outgoing.lead
        if lead is not None and lead.dts is not None:
            self._clock = outgoing.timeline.seconds(lead.dts)
            self._over = outgoing.timeline.seconds(lead.end or lead.dts)
        if data and self._sender and lead is not None:
            outgoing.timeline.observe(lead.dts, now)
        return self._chunk(data, starts)

    def _chunk(self, data: bytes, starts: tuple[StartPoint, ...]) -> Chunk:
        return Chunk(data, starts, self._clock, self._outgoing.hold.tables_version, self._over)
