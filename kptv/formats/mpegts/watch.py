"""What is wrong with an upstream that still sends: a drip, nothing in it, a loop."""

from __future__ import annotations

from collections import deque
from enum import StrEnum

from kptv.formats.mpegts.clock import TICKS, WRAP
from kptv.formats.mpegts.inspector import Inspection, Inspector, MarkKind, Unit

DRIP_WINDOW = 10.0  # seconds
DRIP_RATE = 0.7  # seconds of media a second: less is a drip
PAUSE = 2.0  # seconds without media: what has such pauses comes in segments
NO_MEDIA_AFTER = 5.0  # seconds of bytes without media
SCRAMBLED_AFTER = 5.0  # seconds of scrambled packets without one picture in the clear
RECENT = 2.0  # seconds: what grew within them is going on
LOOP_KEYS = 64  # keyframes that are remembered: a loop of up to half a minute or so is noticed
LOOP_ROUNDS = 3  # times that one keyframe with one time comes before it is a loop
_STEP = 0.25  # seconds between two samples
_LONGEST_ADVANCE = 60 * TICKS  # of the clock between two looks; more is a jump


class Trouble(StrEnum):
    """By its own name in log and metrics."""

    DRIP = "drip"  # the media clock advances less than 0.7 s a second
    NO_MEDIA = "no_media"  # null packets, tables or rubbish only
    SCRAMBLED = "scrambled"
    LOOP = "loop"  # the same seconds again and again: a provider's error slate


class Watch:
    """Looks at one upstream; ``now`` is monotonic, in seconds."""

    def __init__(self, now: float) -> None:
        self._samples: deque[tuple[float, float]] = deque([(now, 0.0)])  # (time, media seconds)
        self._began = now
        self._clock: int | None = None
        self._media = 0.0
        self._paused_at = now  # when the last pause ended
        self._looked_at = now
        self._advanced_at = now
        self._grew: dict[str, tuple[int, float]] = {}  # (count, when it last grew)
        self._keys: dict[tuple[int, int], int] = {}
        self._loops = False

    def note(self, scan: Inspection) -> None:
        """Keyframes; of radio, units: is one of them here for the third time?"""
        for mark in scan.marks:
            if mark.unit is not None and mark.kind is MarkKind.KEY:
                self._note_key(mark.unit)

    def look(self, now: float, inspector: Inspector, received: int) -> Trouble | None:
        """What is wrong now, or None. ``received`` counts the upstream's bytes.

        To be asked on every read, and once a second or so while none comes.
        """
        self._follow(now, inspector.clock)
        bytes_at = self._last_growth("bytes", received, now)
        media_at = self._last_growth("media", inspector.media, now)
        scrambled_at = self._last_growth("scrambled", inspector.scrambled, now)
        clear_at = self._last_growth("units", inspector.lead_units, now)
        if (
            now - clear_at >= SCRAMBLED_AFTER
            and inspector.scrambled
            and now - scrambled_at < RECENT
        ):
            return Trouble.SCRAMBLED
        if now - media_at >= NO_MEDIA_AFTER and now - bytes_at < RECENT:
            return Trouble.NO_MEDIA
        if self._loops:
            return Trouble.LOOP
        return Trouble.DRIP if self._drips(now) else None

    def again(self, now: float) -> Watch:
        """A watch for the same stream opened once more: it knows the keyframes that came."""
        watch = Watch(now)
        watch._keys = self._keys
        return watch

    def _note_key(self, unit: Unit) -> None:
        if unit.dts is None:
            return
        key = unit.dts % WRAP, unit.fingerprint
        self._keys[key] = rounds = self._keys.pop(key, 0) + 1
        self._loops = self._loops or rounds >= LOOP_ROUNDS
        if len(self._keys) > LOOP_KEYS:
            del self._keys[next(iter(self._keys))]

    def _last_growth(self, name: str, count: int, now: float) -> float:
        """When the count last grew."""
        last, grown_at = self._grew.get(name, (0, self._began))
        if count != last:
            grown_at = now
        self._grew[name] = count, grown_at
        return grown_at

    def _follow(self, now: float, clock: int | None) -> None:
        """Add what the clock advanced to the media received."""
        before, self._clock = self._clock, clock
        if clock is None or before is None or not 0 < clock - before < _LONGEST_ADVANCE:
            return
        if now - self._advanced_at > PAUSE:
            self._paused_at = now
        self._advanced_at = now
        self._media += (clock - before) / TICKS
        if now - self._samples[-1][0] >= _STEP:
            self._samples.append((now, self._media))
        while len(self._samples) > 1 and self._samples[1][0] <= now - 2 * DRIP_WINDOW:
            self._samples.popleft()

    def _drips(self, now: float) -> bool:
        """Too little media for the time that passed; looked at once a second."""
        if now - self._looked_at < 1 or now - self._advanced_at > PAUSE:
            return False
        self._looked_at = now
        if now - self._paused_at < DRIP_WINDOW:
            return self._falls_behind(now)
        then, media = next(s for s in reversed(self._samples) if s[0] <= now - DRIP_WINDOW)
        return self._media - media < DRIP_RATE * (now - then)

    def _falls_behind(self, now: float) -> bool:
        """The same of what comes in segments: how far ahead of time it gets is compared."""
        late = [media - at for at, media in self._samples if at > now - DRIP_WINDOW]
        early = [media - at for at, media in self._samples if at <= now - DRIP_WINDOW]
        if now - self._began < 2 * DRIP_WINDOW or not late or not early:
            return False
        return max(early) - max(late) > (1 - DRIP_RATE) * DRIP_WINDOW
