"""The clock of the outgoing programme: it goes on through every splice and never runs back."""

from __future__ import annotations

from dataclasses import dataclass

from kptv.formats.mpegts.clock import TICKS, unwrap
from kptv.splice.reserve import Reserve

SAME_CLOCK = 0.2  # seconds that a stream whose clock goes on may have lost: hardly a freeze
STRAY = 10 * TICKS  # a PCR this far from the picture is not of this time base


@dataclass(slots=True)
class Timeline:
    """What is added to an upstream's times. Ticks are unwrapped and of the outgoing clock."""

    _reserve: Reserve
    shift: int = 0
    origin: int | None = None  # the first unit's DTS
    pcr: int | None = None  # the last one that went out
    new_base: bool = False  # the next PCR is the first of another time base
    _begins: int = 0  # DTS of the upstream's first unit

    def start(self, dts: int, now: float, *, least: int, grid: int, same: bool) -> None:
        """Choose the shift for an upstream that starts with this DTS.

        It is ``least``, with which media goes on at once; if time is to be skipped, as much more
        as that is, in steps of ``grid``, so that pictures stay at their frame rate. A reconnect
        (``same``) keeps its clock if that fits.
        """
        if self.origin is None:
            self.origin = dts
        else:
            gap = round(self._reserve.to_skip(dts + least - self.origin, now) * TICKS)
            if not same or not least <= self.shift <= least + gap + SAME_CLOCK * TICKS:
                self.shift = least + gap - gap % grid
                self.new_base = True
        self._begins = dts + self.shift
        self._reserve.begin(self._begins - self.origin, now)

    def observe(self, dts: int | None, now: float) -> None:
        """Note how far media has come, each time after what arrived at one moment."""
        if self.origin is not None and dts is not None:
            self._reserve.note(dts - self.origin, now)

    def is_ample(self, dts: int | None, now: float) -> bool:
        """Whether players have so much in reserve that a splice at ``dts`` should wait."""
        if self.origin is None or dts is None:
            return False
        return self._reserve.is_ample(dts - self.origin, now)

    def limit(self, now: float) -> int | None:
        """The DTS beyond which the upstream is to be cut; None: there is none."""
        limit = self._reserve.limit(now)
        if limit is None or self.origin is None:
            return None
        return self.origin + round(limit * TICKS)

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
