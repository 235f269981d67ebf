"""Times of a guide, ``20261126120000 +0100`` and what else is written, as seconds since 1970.

XMLTV: 14 digits or their first 4, 6, 8, 10, 12, then a zone; without one it is UTC. Also read:
ISO 8601, Unix times in seconds or milliseconds.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone, tzinfo

_DIGITS = re.compile(r"([0-9]{4,14})(?:\.[0-9]{1,9})?[ \t]{0,8}([^\s0-9].{0,15})?")
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt \t]{1,8}([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?(?:[.,][0-9]{1,9})?)?"
    r"[ \t]{0,8}([^\s0-9].{0,15})?"
)
_SIXTIETHS = re.compile(r"[0-5][0-9][0-5][0-9]").fullmatch
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])([0-9]{1,2}):?([0-9]{2})?")
_DEFAULTS = "00000101000000"  # of what is left out
_EPOCH = date(1970, 1, 1).toordinal()
_FIRST_YEAR, _LAST_YEAR = 1970, 2200
_MILLISECONDS = 13  # digits of a Unix time
_MOST_OFFSET = 15 * 3600  # seconds; the farthest zone is 14 hours from UTC
_MOST_REMEMBERED = 4096  # days and zones
_SLACK = 300  # seconds by which shows overlap without meaning anything

_ZONES = {  # hours from UTC. IST is left out: three zones have that name
    **dict.fromkeys(["Z", "UTC", "UT", "GMT", "WET"], 0.0),
    **dict.fromkeys(["BST", "WEST", "CET", "MET"], 1.0),
    **dict.fromkeys(["CEST", "MEST", "EET", "SAST", "CAT"], 2.0),
    **dict.fromkeys(["EEST", "MSK", "EAT", "TRT"], 3.0),
    **dict.fromkeys(["PKT", "UZT"], 5.0),
    **dict.fromkeys(["ICT", "WIB"], 7.0),
    **dict.fromkeys(["HKT", "SGT", "MYT", "PHT", "AWST", "WITA"], 8.0),
    **dict.fromkeys(["JST", "KST", "WIT"], 9.0),
    **dict.fromkeys(["AEST"], 10.0),
    **dict.fromkeys(["AEDT"], 11.0),
    **dict.fromkeys(["NZST"], 12.0),
    **dict.fromkeys(["NZDT"], 13.0),
    **dict.fromkeys(["EDT", "AST"], -4.0),
    **dict.fromkeys(["EST", "CDT"], -5.0),  # of the US (RFC 822, 5.1), as those below
    **dict.fromkeys(["CST", "MDT"], -6.0),
    **dict.fromkeys(["MST", "PDT"], -7.0),
    **dict.fromkeys(["PST", "AKDT"], -8.0),
    **dict.fromkeys(["AKST"], -9.0),
    **dict.fromkeys(["HST"], -10.0),
    **dict.fromkeys(["BRT", "ART", "ADT"], -3.0),
    "ACST": 9.5,
    "ACDT": 10.5,
    "NST": -3.5,
    "NDT": -2.5,
}


def offset_of(text: str) -> int | None:
    """Seconds from UTC that ``+0100``, ``+01:00``, ``UTC+1``, ``Z`` or ``CET`` mean; None: none."""
    text = text.strip().upper()
    if text in _ZONES:
        return int(_ZONES[text] * 3600)
    found = _OFFSET.fullmatch(text)
    if not found:
        return None
    seconds = int(found[2]) * 3600 + int(found[3] or 0) * 60
    if seconds > _MOST_OFFSET:
        return None
    return -seconds if found[1] == "-" else seconds


def zone_of(text: str) -> tzinfo | None:
    """The zone that is always so far from UTC; None if it is a place, or nothing."""
    offset = offset_of(text)
    return None if offset is None else timezone(timedelta(seconds=offset))


class ShowTimes:
    """Reads the times of one guide."""

    def __init__(self, zone: tzinfo | None = None, offset: int = 0) -> None:
        """``zone``: of times that tell none; ``offset``: seconds added to all."""
        self.unknown_zones = 0
        self._zone = zone
        self._offset = offset
        self._hours: dict[str, int] = {}  # seconds of an hour, by how it and its zone are written

    def __repr__(self) -> str:
        return f"<ShowTimes zone={self._zone} offset={self._offset}>"

    def at(self, text: str, after: int | None = None) -> int | None:
        """Seconds since 1970, UTC; None if it is no time.

        As clocks are turned back an hour comes twice: where the zone is a place, it is the second
        one if the first would be before ``after`` (see ``later_than``).
        """
        if self._zone is None and len(text) == 20:  # the usual: 14 digits, a blank, a zone
            known = self._hours.get(text[:10] + text[14:])
            rest = text[10:14]
            if known is not None and _SIXTIETHS(rest):
                return known + int(rest[:2]) * 60 + int(rest[2:])
        found = self._read(text.strip())
        return None if found is None else self._resolved(text, *found, after)

    def _read(self, text: str) -> tuple[str, str] | None:
        """14 digits and a zone; None if it is no time, or a Unix time ("", seconds)."""
        if iso := _ISO.fullmatch(text):
            year, month, day, hour, minute, second, zone = iso.groups(default="00")
            return f"{year}{month}{day}{hour}{minute}{second}", "" if zone == "00" else zone
        plain = _DIGITS.fullmatch(text)
        if not plain:
            return None
        digits, zone = plain[1], plain[2] or ""
        if not zone and (unix := _unix(digits)) is not None:
            return "", str(unix)
        if len(digits) % 2:
            return None
        return digits + _DEFAULTS[len(digits) :], zone

    def _resolved(self, text: str, digits: str, zone: str, after: int | None) -> int | None:
        if not digits:
            return int(zone) + self._offset
        offset = offset_of(zone) if zone else None
        if zone and offset is None:
            self.unknown_zones += 1
        hour, minute, second = int(digits[8:10]), int(digits[10:12]), int(digits[12:14])
        start = _day(digits[:8])
        if start is None or hour > 24 or minute > 59 or second > 60:
            return None
        start += hour * 3600
        seconds = minute * 60 + second
        if offset is not None or self._zone is None:
            start += self._offset - (offset or 0)
            self._remember(text, start)
            return start + seconds
        return self._local(start + seconds, after)

    def _remember(self, text: str, hour: int) -> None:
        if self._zone is None and len(text) == 20 and text[:14].isdecimal():
            if len(self._hours) >= _MOST_REMEMBERED:
                self._hours.clear()
            self._hours[text[:10] + text[14:]] = hour

    def _local(self, seconds: int, after: int | None) -> int:
        assert self._zone is not None
        naive = datetime(1970, 1, 1) + timedelta(seconds=seconds)
        first = seconds - _offset_at(naive, self._zone) + self._offset
        second = seconds - _offset_at(naive.replace(fold=1), self._zone) + self._offset
        return second if after is not None and second > first and first < after else first


def later_than(start: int, stop: int | None) -> int:
    """What the next show of a channel is not before, by how the last one began and ended."""
    return start + 1 if stop is None else max(stop - _SLACK, start + 1)


def _offset_at(naive: datetime, zone: tzinfo) -> int:
    offset = naive.replace(tzinfo=zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def _day(digits: str) -> int | None:
    """Seconds since 1970 of a day's begin."""
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
    return (day.toordinal() - _EPOCH) * 86400 if _is_sensible(day.year) else None


def _is_sensible(year: int) -> bool:
    return _FIRST_YEAR <= year <= _LAST_YEAR


def _unix(digits: str) -> int | None:
    """A Unix time: of 10 digits that are no hour of a day since 1970, or of 13."""
    if len(digits) == _MILLISECONDS:
        return int(digits) // 1000
    if len(digits) != 10 or (_day(digits[:8]) is not None and int(digits[8:]) < 25):
        return None
    return int(digits)
