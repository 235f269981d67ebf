"""What may be said of a user, checked in one place: for commands, the API, and as it is read."""

from __future__ import annotations

import re
from dataclasses import replace

from kptv.channels.users.model import User
from kptv.channels.users.names import Unfit

MOST_STREAMS = 1000
LAST_TIME = 253_402_300_799  # the year 9999, in Unix time
MOST_GROUPS = 500
LONGEST_GROUP = 200  # letters
LONGEST_PROFILE = 100
LONGEST_NOTE = 500
LONGEST_LABEL = 60
# Control signs and the ends of lines and paragraphs; halves of letters, which no file can hold.
ODD = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_ODD = re.compile(rf"[{ODD}\ud800-\udfff]")


def fit_user(user: User) -> User:
    """The user, if all that is said of them can be; raises Unfit."""
    if not 0 <= user.max_streams <= MOST_STREAMS:
        raise Unfit(f"Streams at once are a number from 0, for no limit, to {MOST_STREAMS}.")
    if user.expires is not None and not 0 <= user.expires <= LAST_TIME:
        raise Unfit("The end is a time, as seconds since 1970.")
    return replace(
        user,
        groups=None if user.groups is None else fit_groups(user.groups),
        profile=_fit("The profile's name", user.profile, LONGEST_PROFILE),
        note=_fit("The note", user.note, LONGEST_NOTE),
    )


def fit_groups(groups: tuple[str, ...]) -> tuple[str, ...]:
    """Names of groups, each once; raises Unfit."""
    fit = dict.fromkeys(_fit("A group's name", group, LONGEST_GROUP) for group in groups)
    if not 1 <= len(fit) <= MOST_GROUPS or "" in fit:
        raise Unfit(f"Groups are 1 to {MOST_GROUPS} names; without any all are meant.")
    return tuple(fit)


def fit_label(text: str) -> str:
    """What a secret is called, as the device that has it; raises Unfit."""
    return _fit("The label", text, LONGEST_LABEL)


def _fit(what: str, text: str, longest: int) -> str:
    if not isinstance(text, str):
        raise Unfit(f"{what} is a text.")
    text = text.strip()
    if len(text) > longest:
        raise Unfit(f"{what} has at most {longest} letters.")
    if _ODD.search(text):
        raise Unfit(f"{what} has signs that cannot be shown.")
    return text
