"""Takes secrets out of texts. ``kptv.channels.secrets`` says what a secret is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache, reduce
from operator import or_
from urllib.parse import quote, quote_plus

from kptv.channels.accounts import KINDS
from kptv.channels.model import Source
from kptv.channels.secrets import (
    LOGIN_NAMES,
    LONG,
    NOTHING,
    SHORT_LOGIN_NAMES,
    Finder,
    Secrets,
    is_telling,
    secrets_of_list,
)
from kptv.logs.user_secrets import HIDDEN, UserSecrets

# Texts that come again and again are redacted once and remembered: 4 MB at most.
_REMEMBERED_TEXTS, _LONGEST_REMEMBERED = 2048, 512
_LONGEST = 64 * 1024  # letters of a text that are shown; a traceback has a few thousand
_LONGEST_SECRET = 128  # letters of a secret that are compared; what follows is hidden with it
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
_PATTERNS = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # Any URL, also inside JSON or another URL.
        (r"[a-z][a-z0-9+.-]{0,20}(?::(?:\\?/){2}|%3A%2F%2F)[^\s'\"<>]+", HIDDEN),
        # Parts of URLs that HTTP libraries print.
        (r"\b(host=)'[^']*'", rf"\1'{HIDDEN}'"),
        (
            r"\b(resolve|hostname|valid for|match|either of) '[^']*'(?:, '[^']*')*",
            rf"\1 '{HIDDEN}'",
        ),
        (r"\b(connection to) \S+(?= timed out)", rf"\1 {HIDDEN}"),
        (r"\b(dropped connection:|connection \(\d+\):) \S+", rf"\1 {HIDDEN}"),
        (r"\b(url:) \S+", rf"\1 {HIDDEN}"),
        (r"(\"(?:GET|HEAD|POST) )\S+", rf"\1{HIDDEN}"),
        # Logins in paths and fields without their host.
        (rf"/(?:{'|'.join(sorted(KINDS))})/[^\s/]+/[^\s'\"<>]+", HIDDEN),
        (r"\b(username|password|token)=[^\s&'\"]+", rf"\1={HIDDEN}"),
        (
            rf"([?&;](?:{SHORT_LOGIN_NAMES}|[\w.-]{{0,64}}(?:{LOGIN_NAMES})[\w.-]{{0,64}})=)[^\s&'\"]+",
            rf"\1{HIDDEN}",
        ),
    )
)


class Redactor:
    """Takes the secrets out of texts: URLs, what the sources' URLs hold, and users' secrets."""

    def __init__(self, sources: Iterable[Source], own_url: str) -> None:
        self._of_users = UserSecrets()
        of_lists = (secrets_of_list(source.url) for source in sources)
        self._of_lists = reduce(or_, of_lists, NOTHING)
        self._of_rules = self._of_catalog = NOTHING
        self._remembered = lru_cache(_REMEMBERED_TEXTS)(self.redact)
        self._own_urls: list[str] = []
        self.learned = 0  # how often what is secret has changed
        self.spare(own_url)
        self.learn(NOTHING)

    def spare(self, own_url: str) -> None:
        """Show what begins with this URL, too: it is the proxy's own. Empty: nothing more."""
        self._own_urls += [re.escape(own_url)] if own_url else []
        # Not the beginning of another host: tv.example is not tv.example.org, nor tv.example:81.
        # But a sentence may go on behind a colon, or end.
        self._own = re.compile(rf"((?:{'|'.join(self._own_urls) or '(?!)'})(?![\w@-]|[.:]\S))")
        self._remembered.cache_clear()

    def learn(self, secrets: Secrets) -> None:
        """Hide ``secrets`` too, in place of those that were learned before.

        The links of the current lists hold them.
        """
        self._of_catalog = secrets
        self._compile()

    def keep(self, secrets: Secrets) -> None:
        """Hide ``secrets`` too, for good: those of a rules file that may be another one by now."""
        self._of_rules |= secrets
        self._compile()

    def know_users(self, is_made: Callable[[str], bool]) -> None:
        """Hide users' secrets: ``is_made`` says, fast, whether a word is one that was made."""
        self._of_users.is_made = is_made

    def learn_of_user(self, typed: str) -> None:
        """Hide a user's secret that was typed, and with which somebody has come in."""
        if self._of_users.learn(typed):
            self.forget_texts()

    def forget_texts(self) -> None:
        """Look at all texts anew: users have other secrets now."""
        self.learned += 1
        self._remembered.cache_clear()

    def _compile(self) -> None:
        known = self._of_lists | self._of_rules | self._of_catalog
        self.learned += 1
        self._finder, self._hosts = Finder(known), known.hosts - _LOOPBACK
        sides = (_beside(*login) for login in known.logins)
        words = map(_pattern_of, sorted(_forms(known), key=len, reverse=True))
        self._secrets = re.compile("|".join([*sides, *words]) or r"(?!)", re.IGNORECASE)
        self._remembered.cache_clear()

    def redact(self, text: str) -> str:
        """``text`` without URLs (except this proxy's own) and without the sources' secrets."""
        if len(text) > _LONGEST:
            text = text[:_LONGEST] + HIDDEN
        return self._in_parts(text, self._redact_part)

    def redact_users(self, text: str) -> str:
        """``text`` without users' secrets alone."""
        return self._in_parts(text, self._of_users.hide)

    def redact_again(self, text: str) -> str:
        """As ``redact``, for texts that come again and again."""
        return self.redact(text) if len(text) > _LONGEST_REMEMBERED else self._remembered(text)

    def tells(self, url: str) -> bool:
        """Whether ``url`` holds a secret as served lists see it, or names the host of a source."""
        return self._finder.tells(url) or any(host in url.lower() for host in self._hosts)

    def _in_parts(self, text: str, redact: Callable[[str], str]) -> str:
        """``text`` with all redacted but this proxy's own addresses."""
        parts = self._own.split(text)
        parts[::2] = map(redact, parts[::2])
        return "".join(parts)

    def _redact_part(self, text: str) -> str:
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return self._of_users.hide(self._secrets.sub(HIDDEN, text))


def _forms(secrets: Secrets) -> set[str]:
    """The words that are hidden wherever they stand, in each way of writing them."""
    words = {*filter(is_telling, secrets.words), *(secrets.hosts - _LOOPBACK)}
    encoded = {way(word) for word in words for way in (quote, quote_plus, _quoted_whole)}
    return words | encoded | {quote(word, safe="") for word in encoded}


def _quoted_whole(text: str) -> str:
    return quote(text, safe="")


def _beside(user: str, password: str) -> str:
    """The pattern of a login, however short, in a path or before a host."""
    sides = (f"{way(user)}[/:]{way(password)}" for way in (re.escape, _quoted_whole))
    return rf"(?<![^\W_])(?:{'|'.join(sides)})(?![^\W_])"


def _pattern_of(secret: str) -> str:
    if len(secret) > _LONGEST_SECRET:
        return re.escape(secret[:_LONGEST_SECRET]) + r"[^\s'\"<>]*+"
    if len(secret) >= LONG:
        return re.escape(secret)
    # Only as a word of its own: "tv" is not cut out of "tvg-id".
    return rf"(?:(?<![^\W_])|(?<=%[0-9a-f]{{2}})){re.escape(secret)}(?![^\W_])"
