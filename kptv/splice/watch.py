"""What is wrong with an upstream that still sends: a drip, nothing in it, a loop."""

from __future__ import annotations

import zlib
from collections import deque
from enum import StrEnum

from kptv.formats.mpegts.clock import TICKS, WRAP
from kptv.formats.mpegts.elementary import ElementaryKind, Nature
from kptv.formats.mpegts.inspection import Inspection, MarkKind, Unit
from kptv.formats.mpegts.inspector import Inspector
from kptv.formats.mpegts.programs import Program

DRIP_WINDOW = 10.0  # seconds
DRIP_RATE = 0.7  # seconds of media per second: less is a drip
PAUSE = 2.0  # seconds without media: a stream with such pauses comes in segments
PAUSES = 1.25  # the length of a window of such a stream, in units of its longest pause
NO_MEDIA_AFTER = 5.0  # seconds of bytes without media
SCRAMBLED_AFTER = 5.0  # seconds of scrambled packets without one picture in the clear
RECENT = 2.0  # seconds: a count that grew within them still grows
LOOP_GROUPS = 64  # groups that are remembered: loops of up to about half a minute are noticed
LOOP_ROUNDS = 3  # a loop: the same group has come so often, with the same time
NEWS = TICKS  # media that is so much later than all before it is no loop
_WINDOWS = 3  # windows that are compared of a stream that comes in segments
_NOTHING = Nature(ElementaryKind.OTHER, "", 0)
# Looking up a member of an enum costs as much as two calls.
_UNIT, _KEY = MarkKind.UNIT, MarkKind.KEY
_AUDIO, _OTHER = ElementaryKind.AUDIO, ElementaryKind.OTHER
_STEP = 0.25  # seconds between two samples
_LONGEST_PAUSE = 20.0  # seconds; a longer one is no rhythm
_LONGEST_ADVANCE = 60 * TICKS  # of the clock between two looks; more is a jump
_LONGEST_JUMP = 1.0  # seconds of media that a jump counts for at most


class Trouble(StrEnum):
    """What can be wrong; log and metrics have the same names."""

    DRIP = "drip"  # the media clock advances less than 0.7 s per second
    NO_MEDIA = "no_media"  # null packets, tables or rubbish only
    SCRAMBLED = "scrambled"
    LOOP = "loop"  # the same seconds again and again: a provider's error slate


class _Past:
    """The groups of a stream that came: from one keyframe to the next, or seconds of radio."""

    def __init__(self) -> None:
        # How often each came since there was something new, by (DTS, digest).
        self._groups: dict[tuple[int, int], int] = {}
        self._repeats = False  # one of them came again
        self._farthest: int | None = None  # the latest DTS

    def note_unit(self, dts: int) -> None:
        """A unit of the lead came."""
        if self._farthest is None or NEWS <= (dts - self._farthest) % WRAP < WRAP // 2:
            self._advance(dts)

    def note_group(self, dts: int, digest: int) -> int:
        """A group came; how often it has come since there was something new.

        A provider may repeat its last seconds to every connection. That is no loop as long as each
        connection brings more than the one before.
        """
        key = dts % WRAP, digest
        rounds = self._groups.pop(key, 0)
        if not rounds:
            self._advance(dts)  # also if its clock starts anew
        self._repeats = self._repeats or rounds > 0
        self._groups[key] = rounds + 1
        if len(self._groups) > LOOP_GROUPS:
            del self._groups[next(iter(self._groups))]
        return rounds + 1

    def _advance(self, dts: int) -> None:
        if self._repeats:
            self._groups = dict.fromkeys(self._groups, 1)
        self._farthest, self._repeats = dts, False


class _Group:
    """Units of picture and sound since a unit from which a decoder can start.

    A group is known by its content and time. The time alone would not do: segments that are
    encoded one by one may all start at the same time, with the same headers.
    """

    def __init__(self) -> None:
        self._dts: int | None = None  # of its first unit; None: none came yet
        self._digest = 0
        self._last: Unit | None = None  # the last one of the lead, which may start the next group
        self._second = -1  # of that unit's DTS

    def add(self, unit: Unit, *, leads: bool) -> None:
        if not leads:
            self._digest = zlib.crc32(unit.fingerprint.to_bytes(4, "big"), self._digest)
            return
        if last := self._last:
            told = b"%d %d" % (last.fingerprint, (last.dts or 0) % WRAP)
            self._digest = zlib.crc32(told, self._digest)
        self._last = unit

    def is_new_second(self, unit: Unit) -> bool:
        """Whether a unit of radio begins a new second, which is taken for a group."""
        if unit.dts is None:
            return False
        before, self._second = self._second, unit.dts % WRAP // TICKS
        return before != self._second

    def end(self, unit: Unit) -> tuple[int, int] | None:
        """The group's time and digest, if its beginning came; the next begins with ``unit``."""
        done = None if self._dts is None else (self._dts, self._digest)
        self._dts, self._digest = unit.dts, 0
        return done


class Watch:
    """Looks at one upstream; ``now`` is monotonic, in seconds."""

    def __init__(self, now: float) -> None:
        self._samples: deque[tuple[float, float]] = deque([(now, 0.0)])  # (time, media seconds)
        self._began = now
        self._clock: int | None = None
        self._media = 0.0
        self._paused_at = now  # when the last pause ended
        self._pause = 0.0  # seconds of the longest
        self._heard = 0, 0, now  # bytes, media packets, and when the bytes last grew
        self._fed = True  # media came with the last bytes
        self._asleep = 0.0  # seconds of pauses that came behind media
        self._looked_at = now
        self._advanced_at = now
        self._counts = 0, 0, 0, 0  # of bytes, media packets, scrambled ones, units of the lead
        self._grown_at = [now] * 4  # when each of them last grew
        self._past = _Past()
        self._group = _Group()
        self._loops = False

    def note(self, scan: Inspection, program: Program | None) -> None:
        """Look for a group that came three times, with nothing new in between."""
        lead = program.lead_pid if program else None
        if program is None or lead is None:
            return
        natures = program.natures
        is_radio = natures[lead].kind is _AUDIO
        for mark in scan.marks:
            unit = mark.unit
            if unit is None or natures.get(mark.pid, _NOTHING).kind is _OTHER:
                continue
            leads, ends = mark.pid == lead, mark.kind is _KEY
            if mark.kind is _UNIT:
                self._group.add(unit, leads=leads)
                if leads and unit.dts is not None:
                    self._past.note_unit(unit.dts)
                    ends = is_radio and self._group.is_new_second(unit)
            if leads and ends and (group := self._group.end(unit)):
                self._loops = self._loops or self._past.note_group(*group) >= LOOP_ROUNDS

    def look(self, now: float, inspector: Inspector, received: int) -> Trouble | None:
        """What is wrong now, or None. ``received`` counts the upstream's bytes.

        Ask on every read, and about once a second while nothing comes.
        """
        self._follow(now, inspector.clock)
        media, scrambled = inspector.media, inspector.scrambled
        awake = now - self._slept(now, received, media)
        bytes_at, media_at, scrambled_at, clear_at = self._last_growths(
            (received, media, scrambled, inspector.lead_units), awake
        )
        if awake - clear_at >= SCRAMBLED_AFTER and scrambled and awake - scrambled_at < RECENT:
            return Trouble.SCRAMBLED
        if awake - media_at >= NO_MEDIA_AFTER and awake - bytes_at < RECENT:
            return Trouble.NO_MEDIA
        if self._loops:
            return Trouble.LOOP
        return Trouble.DRIP if self._drips(now) else None

    def again(self, now: float) -> Watch:
        """A watch for the same stream, opened once more: it remembers the groups that came."""
        watch = Watch(now)
        watch._past = self._past
        return watch

    def _slept(self, now: float, received: int, media: int) -> float:
        """Seconds of pauses so far, which count for nothing: tables may come first behind one.

        Only pauses behind media are such. If only tables come now and then, no pause is.
        """
        received_before, media_before, heard_at = self._heard
        if received != received_before:
            if self._fed and now - heard_at > PAUSE:
                self._asleep += now - heard_at
            self._fed = media != media_before
            self._heard = received, media, now
        return self._asleep

    def _last_growths(self, counts: tuple[int, int, int, int], now: float) -> list[float]:
        """When each of the counts last grew."""
        before, grown_at = self._counts, self._grown_at
        if counts != before:
            self._counts = counts
            for n in range(4):
                if counts[n] != before[n]:
                    grown_at[n] = now
        return grown_at

    def _follow(self, now: float, clock: int | None) -> None:
        """Add what the clock advanced to the media received."""
        before, self._clock = self._clock, clock
        if clock is None or before is None or clock == before:
            return
        advanced = (clock - before) / TICKS
        if not 0 < clock - before < _LONGEST_ADVANCE:
            # How much media came with a jump is not known. It counts as if it had come at its
            # pace; else a clock that starts anew with each segment would lose media at each.
            advanced = min(now - self._advanced_at, _LONGEST_JUMP)
        if now - self._advanced_at > PAUSE:
            self._paused_at, self._pause = now, max(self._pause, now - self._advanced_at)
        self._advanced_at = now
        self._media += advanced
        if now - self._samples[-1][0] >= _STEP:
            self._samples.append((now, self._media))
        while len(self._samples) > 1 and self._samples[1][0] <= now - _WINDOWS * self._window:
            self._samples.popleft()

    def _drips(self, now: float) -> bool:
        """Whether too little media came for the time that passed; looked at once per second."""
        if now - self._looked_at < 1 or now - self._advanced_at > PAUSE:
            return False
        self._looked_at = now
        if now - self._paused_at < DRIP_WINDOW:
            return self._falls_behind(now)
        then, media = next(s for s in reversed(self._samples) if s[0] <= now - DRIP_WINDOW)
        return self._media - media < DRIP_RATE * (now - then)

    def _falls_behind(self, now: float) -> bool:
        """The same for a stream that comes in segments: each window must get as far ahead.

        It is a drip if media falls behind from window to window twice. A stream that pauses once
        and then goes on at its pace falls behind once.
        """
        window = self._window
        if now - self._began < _WINDOWS * window:
            return False
        ahead: list[list[float]] = [[] for _ in range(_WINDOWS)]
        for at, media in self._samples:
            if now - at < _WINDOWS * window:
                ahead[int((now - at) / window)].append(media - at)
        if not all(ahead):
            return False
        late, before, early = map(max, ahead)
        return min(before - late, early - before) > (1 - DRIP_RATE) * window

    @property
    def _window(self) -> float:
        """Seconds in a window: a whole segment must fit in, not only its beginning."""
        return max(DRIP_WINDOW, PAUSES * min(self._pause, _LONGEST_PAUSE))
