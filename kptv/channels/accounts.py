"""Where in the paths of URLs an account stands, and which part of it a list's links share.

Panels make ``http://panel/live/USER/PASS/123.ts``; others put one token before the id. If all links
of a list have the same folders before their ids, these are the account if they look like one:
``/hls/news/`` may be shared too. In doubt they are not: a logo in such a folder must not be lost.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

Login = tuple[str, str]  # user and password

_SHORTEST_TOKEN = 6  # letters
# Parts of a path that are never a user: panels and packagers begin paths with them.
KINDS = frozenset(("live", "movie", "movies", "series", "timeshift"))
_BEGINNINGS = (
    "api assets cdn ch channel channels content dash files get hls http lists m3u m3u_plus media"
    " mpegts play playlist playlists public srv static stream streaming streams ts v1 v2 video"
    " videos vod"
)
_SELDOM_USERS = (
    "4k fhd hd iptv kids main master music news radio sd sport sports test tv uhd uk us web"
)
_STRUCTURE = KINDS | set(_BEGINNINGS.split())
_FOLDERS = _STRUCTURE | set(_SELDOM_USERS.split())
_PACKAGED = re.compile(
    r"(?:index|playlist|master|mono|video|chunklist|manifest|stream|live)\b.*", re.I
)
_NUMBER = re.compile(r"\d+(?:\.\w{1,5})?")
_REGION = re.compile(r"[a-z]{2}-[a-z]+-\d")  # of a cloud: us-east-1
_WORD_AND_NUMBER = re.compile(r"[A-Za-z][A-Za-z._-]*\d{0,4}|\d{0,4}[A-Za-z]*")
_TOKEN = re.compile(r"(?=[^0-9]*+[0-9])[A-Za-z0-9_~=-]++")


def tokens_shared(paths: Sequence[tuple[Sequence[str], int]]) -> set[str]:
    """The tokens that the paths of a host share before their ids; each comes with its count."""
    if sum(count for _, count in paths) == 1:
        name, folders = id_and_folders(paths[0][0])
        return set(filter(is_token, folders[-1:])) if _NUMBER.fullmatch(name) else set()
    levels = zip(*(id_and_folders(parts)[1] for parts, _ in paths), strict=False)
    shared = takewhile(lambda level: len(set(level)) == 1, levels)
    return {level[0] for level in shared if is_token(level[0])}


def id_and_folders(parts: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The part of a path that names the stream, and the parts before it."""
    end = len(parts) - 1
    while end > 0 and _PACKAGED.fullmatch(parts[end]):
        end -= 1
    return parts[end], parts[:end]


def without_structure(folders: Sequence[str]) -> Sequence[str]:
    """``folders`` without the words that follow a login in the URL of a list."""
    end = len(folders)
    while end and folders[end - 1].lower() in _STRUCTURE:
        end -= 1
    return folders[:end]


def login_before(name: str, folders: Sequence[str], *, shared: bool) -> set[Login]:
    """User and password, if ``folders`` before an id look as panels write them.

    ``shared``: several links have these folders.
    """
    is_panel = len(folders) > 2 and folders[0].lower() in KINDS
    while len(folders) > 2 and folders[0].lower() in _STRUCTURE:
        folders = folders[1:]
    if len(folders) != 2 or not (_NUMBER.fullmatch(name) or (is_panel and shared)):
        return set()
    user, password = folders
    plain = [part.lower() in _FOLDERS for part in folders]
    if all(plain) or user.lower() in _STRUCTURE or _REGION.fullmatch(password):
        return set()
    if any(plain) and not (is_panel or shared or is_token(password)):
        return set()
    return {(user, password)}


def is_token(part: str) -> bool:
    """Whether a machine made it, or somebody as a password: it is neither a word nor a number."""
    return (
        len(part) >= _SHORTEST_TOKEN
        and not part.isdigit()
        and _TOKEN.fullmatch(part) is not None
        and _WORD_AND_NUMBER.fullmatch(part) is None
    )
