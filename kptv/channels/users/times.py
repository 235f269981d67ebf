"""When a user's time ends, as people write it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

from kptv.channels.users.names import Unfit

_END = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[ T]([0-9]{2}):([0-9]{2}))?")
NEVER = "never"


def end_of(text: str, zone: tzinfo | None = None) -> int | None:
    """The Unix time that ``2027-01-31`` means, its last moment, or ``2027-01-31 18:00``.

    None for ``never``. ``zone``: where that is; None: where the computer is. Raises Unfit.
    """
    if text.strip().lower() == NEVER:
        return None
    found = _END.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        year, month, day, hour, minute = (int(part or 0) for part in found.groups())
        end = datetime(year, month, day, hour, minute, tzinfo=zone)
        if found[4] is None:
            end += timedelta(days=1)
        return int(end.timestamp())
    except (ValueError, OverflowError, OSError):
        raise Unfit(
            "The end is a day, as 2027-01-31, a time, as 2027-01-31T18:00, or never."
        ) from None


def told_end(end: int | None, zone: tzinfo | None = None) -> str:
    """The time for people, with its zone."""
    if end is None:
        return NEVER
    return datetime.fromtimestamp(end, zone).astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")
