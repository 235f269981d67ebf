"""The secrets in a provider's URL: one answer for the log, the served lists and the page.

Theory of operation. Secrets are user and password before the host, the values of query fields that
are named like a login or look like a token, and the parts of a path that stand where panels put
user and password (see ``accounts``). Texts are compared *folded*: decoded, in lower case.

How a secret is looked for depends on how telling it is. ``s3cret`` is one inside any word,
``alice`` only as a word of its own; ``tv`` and ``1`` only as the value of a login field, or side by
side in a path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from urllib.parse import unquote, urlsplit

from kptv.channels.accounts import Login, is_token, login_before, without_structure

LONG = 6  # letters; a word this long is hardly there by chance
_SHORTEST = 3  # letters of a secret that is looked for by itself
_UNKNOWN_FIELD = 8  # letters; in a list's URL any value this long is taken for a secret
_MOST_DECODINGS = 3  # a text may be percent-encoded again and again

# Fields of a URL hold a login if they have one of these in their name, or if they have this name.
LOGIN_NAMES = "user|login|pass|pwd|token|key|auth|mac|secret|sign|session|ticket|hash|hdn"
SHORT_LOGIN_NAMES = "[up]|[us]id"
_LOGIN_FIELD = re.compile(rf"{LOGIN_NAMES}|^(?:{SHORT_LOGIN_NAMES})$", re.I)
_USER_FIELD = re.compile(r"user|login|^u$", re.I)
_PASSWORD_FIELD = re.compile(r"pass|pwd|^p$", re.I)
_HARMLESS_FIELDS = frozenset(("type", "output", "format", "ext"))  # of Xtream's list URLs
_HARMLESS = frozenset(("true", "false", "none", "null", "web", "public", "default", "unknown"))
_FIELD = re.compile(r"[?&;]([^=&;?/]{1,64})=([^&;?]*)")
_FIELD_IN_TEXT = re.compile(r"(?<![\w.-])([\w.-]{1,64})=([^&;?#\s]*)")
_ANY_LOGIN = re.compile(r"://[^/?#\s@]*+@|[?&;](?:password|passwd|pwd)=[^&;\s]")
_SLASH = re.compile("[/;]")
_MOST_PARTS = 64  # parts of a URL's path, and fields, that are looked at
_PORT = re.compile(r":\d*$")
# Hosts whose paths are public names.
_PUBLIC = re.compile(
    r"(?:.*\.)?(?:github(?:usercontent)?|gitlab|bitbucket|codeberg|jsdelivr|netlify|vercel|pages)"
    r"\.(?:com|io|org|net|app|dev)",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets of one URL, a list, or all sources; decoded, as a person would write them."""

    words: frozenset[str] = field(default=frozenset(), repr=False)  # users, passwords, tokens
    logins: frozenset[Login] = field(default=frozenset(), repr=False)  # user and password of each
    hosts: frozenset[str] = field(default=frozenset(), repr=False)  # of lists; hidden in the log

    def __or__(self, other: Secrets) -> Secrets:
        return Secrets(
            self.words | other.words, self.logins | other.logins, self.hosts | other.hosts
        )


NOTHING = Secrets()


def secrets_of_valkey(url: str) -> Secrets:
    """The user and the password in the URL of a Valkey."""
    parts = urlsplit(url)
    return Secrets(frozenset(unquote(word) for word in (parts.username, parts.password) if word))


def secrets_of_list(url: str) -> Secrets:
    """The secrets in the URL of a channel list; a file's path has none."""
    if not url[:8].lower().startswith(("http://", "https://")):
        return NOTHING
    login, host, path, fields = split(url)
    words = {value for name, value in fields if _is_secret_field(name, value)}
    logins = set(_logins(login, fields))
    if not _PUBLIC.fullmatch(host):
        folders = without_structure([part for part in path if "." not in part])
        logins |= login_before("0", folders, shared=False)
        words |= set(filter(is_token, folders))
    return gathered({*words, *login}, logins, [host])


def secrets_of_link(url: str) -> Secrets:
    """The secrets that a stream's URL shows by itself: logins before its host and in its fields."""
    login, _, _, fields = split(url)
    words = {value for name, value in fields if _is_login_field(name, value)}
    return gathered({*words, *login}, set(_logins(login, fields)))


def gathered(words: Iterable[str], logins: Iterable[Login], hosts: Iterable[str] = ()) -> Secrets:
    """These secrets; user and password count as words too unless they are common ones."""
    logins = frozenset(logins)
    alone = {part for login in logins for part in login if len(part) >= LONG or _is_mixed(part)}
    return Secrets(frozenset({*words, *alone} - {""}), logins, frozenset(hosts))


def is_telling(word: str) -> bool:
    """Whether a secret is looked for everywhere, not only in the place of a login."""
    return len(word) >= (LONG if word.isdigit() else _SHORTEST) and word.lower() not in _HARMLESS


def _is_mixed(part: str) -> bool:
    return len(part) > _SHORTEST and not part.isalpha() and not part.isdigit()


def _is_login_field(name: str, value: str) -> bool:
    if _USER_FIELD.search(name) or _PASSWORD_FIELD.search(name):
        return True
    # Other fields are many, and often hold an ordinary word: auth=0, session=OTT.
    return _LOGIN_FIELD.search(name) is not None and (len(value) >= LONG or _is_mixed(value))


def _is_secret_field(name: str, value: str) -> bool:
    if _LOGIN_FIELD.search(name):
        return True
    return len(value) >= _UNKNOWN_FIELD and name.lower() not in _HARMLESS_FIELDS


def _logins(login: Sequence[str], fields: Sequence[tuple[str, str]]) -> Iterator[Login]:
    if len(login) == 2:
        yield login[0], login[1]
    users = [value for name, value in fields if value and _USER_FIELD.search(name)][:2]
    passwords = [value for name, value in fields if value and _PASSWORD_FIELD.search(name)][:2]
    for user in users:
        for password in passwords:
            yield user, password


def split(url: str) -> tuple[list[str], str, list[str], list[tuple[str, str]]]:
    """Login (user and password), host, parts of the path, fields; decoded. Never raises."""
    rest = url.partition("://")[2].partition("#")[0]
    base, _, query = rest.partition("?")
    authority, _, path = base.partition("/")
    before, _, host = authority.rpartition("@")
    login = [decoded(part) for part in before.split(":", 1) if part]
    parts = [decoded(part) for part in _SLASH.split(path, _MOST_PARTS)[:_MOST_PARTS] if part]
    fields = [*_fields(f"?{query}"), *_fields(f"/{path}".replace("/", "&"))]
    host = _PORT.sub("", host).strip("[]").lower()
    return login, host, parts, [(name, decoded(value)) for name, value in fields]


def _fields(text: str) -> list[tuple[str, str]]:
    return [(match[1], match[2]) for match in islice(_FIELD.finditer(text), _MOST_PARTS)]


def decoded(text: str) -> str:
    """``text`` without percent-encoding, even if encoded several times, and ``+`` as a blank."""
    return without_percents(text).replace("+", " ")


def without_percents(text: str) -> str:
    """``text`` without percent-encoding, even if encoded several times."""
    for _ in range(_MOST_DECODINGS):
        if "%" not in text or (once := unquote(text)) == text:
            break
        text = once
    return text


def folded(text: str) -> str:
    """The same for all ways of writing ``text`` in a URL."""
    return decoded(text).lower()


class Finder:
    """Finds secrets in texts for clients."""

    def __init__(self, secrets: Secrets) -> None:
        self._words = {folded(word): word for word in secrets.words}
        self._telling = {word for word in self._words if is_telling(word)}
        logins = [(folded(user), folded(password)) for user, password in secrets.logins]
        self._sides = {f"{user}{sign}{password}" for user, password in logins for sign in "/:"}
        self._values = {*self._words, *(part for login in logins for part in login)}
        # A text that tells a secret has one of these in it: quickly checked.
        in_fields = {f"={value}" for value in self._values - self._telling}
        unsure = {side for side in self._sides if not any(word in side for word in self._telling)}
        self._signs = (*self._telling, *unsure, *in_fields, "@", "passw", "pwd=")
        self._is_ascii = "".join(self._signs).isascii()

    def may_tell(self, text: str) -> bool:
        """Whether ``text`` is worth a closer look; False is certain."""
        if "%" in text or "+" in text:
            low = folded(text)
        elif text.isascii() or not self._is_ascii:
            low = text.lower()
        else:
            low = text.encode("utf-8", "replace").lower().decode()  # in half the time
        for sign in self._signs:  # noqa: SIM110  a generator takes twice the time
            if sign in low:
                return True
        return False

    def tells(self, text: str) -> bool:
        """Whether ``text``, a link or another text for machines, holds a secret."""
        low = folded(text)
        if self._anywhere.search(low) or _ANY_LOGIN.search(low):
            return True
        return any(
            value in self._values and _LOGIN_FIELD.search(name)
            for name, value in _FIELD_IN_TEXT.findall(low)
        )

    def tells_in_words(self, text: str) -> bool:
        """As ``tells``, for texts that people read: there a user's name may be an ordinary word."""
        plain = decoded(text)
        if "/" in plain or "=" in plain:
            return self.tells(text)
        return self._in_words.search(plain) is not None

    @cached_property
    def _anywhere(self) -> re.Pattern[str]:
        sides = (rf"(?<![^\W_]){re.escape(side)}(?![^/?#&;@])" for side in self._sides)
        return _any_of([*map(_alone, self._telling), *sides])

    @cached_property
    def _in_words(self) -> re.Pattern[str]:
        return _any_of([_alone(self._words[w]) for w in self._telling if len(w) >= LONG])


def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(patterns) or r"(?!)")


def _alone(word: str) -> str:
    """The pattern of a telling secret; one that looks like a token is found inside words too."""
    if len(word) >= LONG and is_token(word):
        return re.escape(word)
    return rf"(?<![^\W_]){re.escape(word)}(?![^\W_])"
