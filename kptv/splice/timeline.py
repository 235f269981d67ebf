"""The clock of the programme: it goes on through every splice and never runs back."""

from __future__ import annotations

from dataclasses import dataclass

from kptv.formats.mpegts.clock import TICKS, unwrap
from kptv.formats.mpegts.inspection import Unit
from kptv.splice.tracks import Track

# Seconds that media may run ahead of time beyond the largest store that one upstream sent at once.
# Each one's own store adds to what players have to keep: from a bit less on a splice passes
# keyframes over, and beyond it an upstream is cut and sought in again.
AHEAD, RELIEF = 5.0, 2.0
STORED = 10.0  # seconds in which an upstream sends what it had stored
SAME_CLOCK = 2.0  # seconds by which a stream that goes on may be off from the time that passed
STRAY = 10 * TICKS  # a PCR this far from the picture is not of this time base


@dataclass(slots=True)
class Timeline:
    """What is added to an upstream's times. Ticks are unwrapped and of the programme's clock."""

    shift: int = 0
    origin: int | None = None  # the first unit's DTS
    pcr: int | None = None  # the last one that went out
    new_base: bool = False  # the next PCR is the first of another time base
    gap_filled: int = 0  # ticks by which splices went forward with the time that passed
    # How far media was ahead of time at the start; the least since, before data arrived; and the
    # most by which one upstream alone put it.
    _base: float = 0.0
    _floor: float | None = None
    _ceiling: float | None = None
    _pause: float | None = None  # what the last arrival would make of the floor
    _begins: int = 0  # DTS of the upstream's first unit
    _begun_at: float = 0.0
    _bounded: bool = False  # players had much to play when it began
    _settling: bool = True  # the first upstream hands out what it had stored
    _seen: tuple[float, float] | None = None  # (now, media seconds) last time

    def start(
        self,
        unit: Unit,
        lead: Track | None,
        now: float,
        *,
        same: bool,
        earliest: int | None = None,
        frames: int = 1,
    ) -> None:
        """Choose the shift for an upstream that starts with ``unit``.

        Time goes on so many frames behind the last picture, and not before ``earliest``; or where
        it would stand had no time been lost, if that is later. A reconnect (``same``) keeps its
        clock where it fits.
        """
        if unit.dts is None or unit.pts is None:
            return
        if self.origin is None:
            self.origin, self._base, self._floor = unit.dts, -now, -now
            self._begins, self._begun_at = unit.dts, now
            return
        self._seen, self._pause, self._settling = None, None, False
        contiguous = self.origin - unit.dts
        if lead is not None and lead.dts is not None and lead.pts is not None:
            contiguous = max(lead.dts - unit.dts, lead.pts - unit.pts)
            contiguous += frames * lead.duration
        if earliest is not None:
            contiguous = max(contiguous, earliest - unit.dts)
        due = contiguous
        if self._floor is not None:
            due = self.origin + round((now + self._floor) * TICKS) - unit.dts
        latest = max(due, contiguous) + SAME_CLOCK * TICKS
        if not same or not contiguous <= self.shift <= latest:
            gap = max(0, due - contiguous)
            if lead is not None:
                gap -= gap % lead.duration  # pictures stay on the grid of their frame rate
            self.gap_filled += gap
            self.shift = contiguous + gap
            self.new_base = True
        self._begins, self._begun_at = unit.dts + self.shift, now
        self._bounded = self.seconds(self._begins) - now - self._base > AHEAD

    def observe(self, lead: Track | None, now: float) -> None:
        """Note how far media is ahead of time, each time after what arrived at one moment.

        A pause counts once media goes on behind it: the last packet of an upstream that fell
        silent comes when it is given up, and is no sign of media that comes late.
        """
        if self.origin is None or lead is None or lead.dts is None or lead.dts < self._begins:
            return  # nothing came, or only tables came yet behind the gap of a splice
        if self._seen is not None and now > self._seen[0] and self._floor is not None:
            then, media = self._seen
            if self._pause is not None:
                self._floor = min(self._floor, self._pause)
            self._pause = media - now
            if self._settling or self._ceiling is None:
                self._ceiling = max(self._ceiling or media - then, media - then)
        if not self._settling and now - self._begun_at < STORED and self._ceiling is not None:
            stored = self.seconds(lead.dts - self._begins + (self.origin or 0))
            self._ceiling = max(self._ceiling, self._base + stored - (now - self._begun_at))
        self._seen = now, self.seconds(lead.dts)

    def too_far_ahead(self, lead: Track | None, now: float) -> bool:
        """Whether a splice now would add to what players have to store."""
        if self._ceiling is None or lead is None or lead.dts is None:
            return False
        return self.seconds(lead.dts) - now > self._ceiling + AHEAD - RELIEF

    def limit(self, now: float) -> int | None:
        """The DTS beyond which the upstream is to be cut; None: there is none."""
        if not self._bounded or self._ceiling is None or self.origin is None:
            return None
        return self.origin + round((now + self._ceiling + AHEAD) * TICKS)

    def take_pcr(self, raw: int, now: int | None) -> int | None:
        """The PCR that goes out; None: it would run back, or is of no time base near ``now``."""
        near = self.pcr if self.pcr is not None else now if now is not None else raw
        pcr = unwrap(raw + self.shift, near if now is None else now)
        if self.pcr is not None and pcr <= self.pcr:
            return None
        if now is not None and abs(pcr - now) > STRAY:
            return None
        self.pcr = pcr
        return pcr

    @property
    def began(self) -> float:
        """Media time of the upstream's first unit."""
        return self.seconds(self._begins) if self.origin is not None else 0.0

    def seconds(self, ticks: int) -> float:
        """Media time since the first start point."""
        return (ticks - (self.origin or 0)) / TICKS
