"""All that viewers of a hub get: one programme, whatever feeds it, and filler while nothing does.

Viewers, and the servers between, keep a connection as long as something comes. So viewers get
tables and null packets after FILLER_AFTER seconds without media, and after SLATE_AFTER seconds
without an upstream a clip that says so. They get neither before the first media.
"""

from __future__ import annotations

from collections.abc import Callable

from kptv.channels.model import Stream
from kptv.channels.rhythm import Pulse, Rhythm
from kptv.formats.mpegts.parameters import ParameterSets
from kptv.ports import Piece, Seam
from kptv.restream.buffer import ChunkBuffer
from kptv.splice.joining import Chunk
from kptv.splice.slate import Slate, sound_of
from kptv.splice.splicer import Splicer
from kptv.splice.stats import Stats
from kptv.splice.watch import Trouble

FILLER_AFTER = 1.0  # seconds; then again with every tick
SLATE_AFTER = 5.0  # seconds


class Output:
    """Splices upstreams into a buffer; ``wake`` is called when there is more in it."""

    def __init__(
        self,
        buffer: ChunkBuffer,
        slate_clip: bytes,
        now: float,
        wake: Callable[[], None],
        rhythm_of: Callable[[Stream, float], Rhythm] = lambda stream, now: Rhythm(0.0),
        skip_beyond: float | None = None,
    ) -> None:
        """``slate_clip``: a transport stream to show while nothing works; empty: none.

        ``rhythm_of`` gives the known pauses of a stream, which this adds to. ``skip_beyond``: as
        for the splicer.
        """
        self.buffer = buffer
        self.playable = False  # a viewer can start
        self.media_at = now  # when media last came
        self._rhythm_of = rhythm_of
        self._rhythm = Rhythm(0.0)  # of the stream that is, or was last, open
        self._pulse = Pulse(self._rhythm, now)
        self._clock = 0.0  # seconds of media made for viewers
        self._sent_at = now  # when anything last went to viewers
        self._splicer = Splicer(skip_beyond)
        self._stream: Stream | None = None  # the last one that was spliced in
        self._is_open = False  # an upstream feeds it
        self._begun = False  # that upstream has given media
        self._clip = slate_clip
        self._slate: Slate | None = None
        self._stats: Stats | None = None  # of the last upstream, while the slate plays
        self._wake = wake

    def __repr__(self) -> str:
        return f"<Output {self._splicer!r} {'slate ' if self._slate else ''}of {self._stream!r}>"

    @property
    def stats(self) -> Stats:
        """Figures of the upstream that is open, or was last; never of the slate."""
        return self._stats if self._slate and self._stats else self._splicer.stats

    @property
    def sending(self) -> bool:
        """Viewers get the media of the upstream."""
        return self._splicer.sending and not self._slate

    @property
    def starting(self) -> bool:
        """The upstream was let in, but the keyframe that it starts with is not whole yet."""
        return self._splicer.starting and not self._slate

    @property
    def on_slate(self) -> bool:
        """Viewers get the slate."""
        return self._slate is not None

    @property
    def alive_at(self) -> float:
        """When an upstream last gave media and then went on; what it flushes at its end is none."""
        return self._pulse.alive_at

    def expected_pause(self, now: float) -> float:
        """The longest silence that is usual for this stream, in seconds."""
        return max(self._rhythm.expected(now), self._pulse.doubtful)

    def open(self, stream: Stream, now: float, sets: ParameterSets | None = None) -> None:
        """``stream`` feeds the programme from now on; ``sets``: those of what was kept of it."""
        self._end_slate(now)
        same = stream == self._stream
        self._splicer.open(now, same_stream=same, program=stream.program, sets=sets)
        self._rhythm = self._rhythm_of(stream, now)
        if same:
            self._pulse = self._pulse.resumed(self._rhythm, now)
        else:
            self._pulse = Pulse(self._rhythm, now, kept=sets is not None)
        self._stream = stream
        self._is_open, self._begun = True, False

    def feed(self, piece: Piece, now: float) -> bool:
        """Splice the packets of a piece, whose seam is crossed; True once, with the first media."""
        if piece.flushed:
            self._pulse.over()
        self._splicer.lost(piece.bytes_dropped, piece.sync_losses)
        chunk = self._splicer.feed(piece.data, now)
        if not chunk:
            return False
        begins = bool(chunk.starts) and not self._begun
        before = max(self._clock, self._splicer.began)
        self._clock = max(before, chunk.clock)
        if begins or self._begun:
            self._pulse.beat(now, before, self._clock)
        if begins:
            self._begun = self.playable = True
        self.media_at = now
        self._send(chunk, now)
        return begins

    def cross(self, seam: Seam, now: float) -> bool:
        """Cross to a piece that was made apart from the last one (RFC 8216, 4.3.2.3).

        True if it does not go on where the last one ended: it is spliced like another upstream.
        """
        if seam.goes_on:
            self._send(self._splicer.cross(now, whole=seam.whole), now)
            return False
        self._send(self._splicer.close(now, clean=seam.whole), now)
        self._part()
        program = self._stream.program if self._stream else 0
        self._splicer.open(now, same_stream=False, program=program)
        return True

    def close(self, now: float, *, clean: bool = False) -> None:
        """End the upstream; ``clean``: it ended where one of its units ends."""
        self._is_open = False
        self._send(self._splicer.close(now, clean=clean), now)
        self._part()

    def trouble(self, now: float) -> Trouble | None:
        """The reason to leave an upstream that sends, if there is one."""
        return self._splicer.trouble(now)

    def tick(self, now: float) -> None:
        """Keep viewers that wait for media; to be called twice a second."""
        if self._is_open:
            self._pulse.look(now)
        if not self.playable:
            return
        if not self._is_open and now - self.media_at >= SLATE_AFTER and self._slate is None:
            self._begin_slate(now)
        if self._slate is not None and self._slate.playable:
            self._send(self._splicer.feed(self._slate.due(now), now), now)
        if now - self._sent_at >= FILLER_AFTER:
            self._send(self._splicer.filler(), now)

    def _begin_slate(self, now: float) -> None:
        """Show the slate; on a radio channel only its sound, if listeners can decode it."""
        radio = self._splicer.radio
        clip = sound_of(self._clip, radio) if radio else self._clip
        if clip:
            self._stats = self.stats
            self._slate = Slate(clip, now)
            self._stream = None  # the next upstream does not go on where the last one stopped
            self._splicer.open(now, same_stream=False)

    def _end_slate(self, now: float) -> None:
        if self._slate is not None:
            self._slate = None
            self._send(self._splicer.close(now), now)
            self._part()

    def _send(self, chunk: Chunk, now: float) -> None:
        if chunk:
            self._sent_at = now
            self.buffer.append(chunk)
            self._wake()

    def _part(self) -> None:
        """Tell readers that a feed has ended: they may cut there, and not wait for the next."""
        self.buffer.part()
        self._wake()
