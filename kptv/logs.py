"""The log: one line a state change, and no provider's URL, host, user or password in it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import or_
from typing import Any
from urllib.parse import quote, quote_plus

from pythonjsonlogger.json import JsonFormatter

from kptv.channels.model import Source
from kptv.channels.secrets import LONG, NOTHING, Finder, Secrets, is_telling, secrets_of_list
from kptv.config import Config
from kptv.log_handlers import RecentLines, RepeatFilter

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_HIDDEN = "…"
# What was redacted once, for texts that come again and again: 4 MB at most.
_REMEMBERED_TEXTS, _LONGEST_REMEMBERED = 2048, 512
_LONGEST = 64 * 1024  # letters of a text that are shown; a traceback has a few thousand
_LONGEST_SECRET = 128  # letters of one that are compared; what follows is hidden with it
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
_PATTERNS = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # Any URL, also as JSON or another URL holds it; then what libraries print of one in pieces.
        (r"[a-z][a-z0-9+.-]{0,20}(?::(?:\\?/){2}|%3A%2F%2F)[^\s'\"<>]+", _HIDDEN),
        (r"\b(host=)'[^']*'", rf"\1'{_HIDDEN}'"),
        (
            r"\b(resolve|hostname|valid for|match|either of) '[^']*'(?:, '[^']*')*",
            rf"\1 '{_HIDDEN}'",
        ),
        (r"\b(connection to) \S+(?= timed out)", rf"\1 {_HIDDEN}"),
        (r"\b(dropped connection:|connection \(\d+\):) \S+", rf"\1 {_HIDDEN}"),
        (r"\b(url:) \S+", rf"\1 {_HIDDEN}"),
        (r"(\"(?:GET|HEAD|POST) )\S+", rf"\1{_HIDDEN}"),
        (r"/(?:live|movie|series|timeshift)/[^\s/]+/[^\s'\"<>]+", _HIDDEN),
        (r"\b(username|password|token)=[^\s&'\"]+", rf"\1={_HIDDEN}"),
        (
            r"([?&;](?:[up]|user|login|pass|passwd|pwd|auth|mac|[us]id|\w*key)=)[^\s&'\"]+",
            rf"\1{_HIDDEN}",
        ),
    )
)


class Redactor:
    """Takes the secrets out of texts: URLs, and what the sources' URLs hold."""

    def __init__(self, sources: Iterable[Source], own_url: str) -> None:
        of_lists = (secrets_of_list(source.url) for source in sources)
        self._of_lists = reduce(or_, of_lists, NOTHING)
        # Not the beginning of another host: tv.example is not tv.example.org.
        self._own_url = re.compile(rf"({re.escape(own_url)}(?![\w.:@-]))")
        self._remembered = lru_cache(_REMEMBERED_TEXTS)(self.redact)
        self.learn(NOTHING)

    def learn(self, secrets: Secrets) -> None:
        """Hide ``secrets`` too, which the links of the lists told, and no others learned before."""
        known = self._of_lists | secrets
        self._finder, self._hosts = Finder(known), known.hosts - _LOOPBACK
        sides = (_beside(*login) for login in known.logins)
        words = map(_pattern_of, sorted(_forms(known), key=len, reverse=True))
        self._secrets = re.compile("|".join([*sides, *words]) or r"(?!)", re.IGNORECASE)
        self._remembered.cache_clear()

    def redact(self, text: str) -> str:
        """``text`` without URLs (save this proxy's own) and without the sources' secrets."""
        if len(text) > _LONGEST:
            text = text[:_LONGEST] + _HIDDEN
        parts = self._own_url.split(text)
        parts[::2] = map(self._redact_part, parts[::2])
        return "".join(parts)

    def redact_again(self, text: str) -> str:
        """As ``redact``, for texts that come again and again."""
        return self.redact(text) if len(text) > _LONGEST_REMEMBERED else self._remembered(text)

    def tells(self, url: str) -> bool:
        """Whether ``url`` holds a secret as served lists see it, or names the host of a source."""
        return self._finder.tells(url) or any(host in url.lower() for host in self._hosts)

    def _redact_part(self, text: str) -> str:
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return self._secrets.sub(_HIDDEN, text)


class RedactingFormatter(logging.Formatter):
    """Formats a record whole, its traceback too, then takes the secrets out."""

    def __init__(
        self, fmt: str, sources: Iterable[Source], own_url: str, redactor: Redactor | None = None
    ) -> None:
        super().__init__(fmt)
        self.redact = (redactor or Redactor(sources, own_url)).redact

    def format(self, record: logging.LogRecord) -> str:
        return self.redact(super().format(record))


class JsonLines(JsonFormatter):
    """A JSON object a line: time, level, logger, message, and what a record has beside these."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__(
            "%(levelname)s %(name)s %(message)s",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
            json_ensure_ascii=False,
        )
        self._redact = redact

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Redacts each text before they are put together: it must stay JSON."""
        return {
            key: self._redact(value) if isinstance(value, str) else value
            for key, value in super().process_log_record(log_data).items()
        }


def secrets_of(source: Source) -> set[str]:
    """What of a source's URL the log hides wherever it stands: in each way of writing."""
    return _forms(secrets_of_list(source.url))


def _forms(secrets: Secrets) -> set[str]:
    words = {*filter(is_telling, secrets.words), *(secrets.hosts - _LOOPBACK)}
    encoded = {way(word) for word in words for way in (quote, quote_plus, _quoted_whole)}
    return words | encoded | {quote(word, safe="") for word in encoded}


def _quoted_whole(text: str) -> str:
    return quote(text, safe="")


def _beside(user: str, password: str) -> str:
    """The pattern of a login that stands in a path or before a host, whatever it is."""
    sides = (f"{way(user)}[/:]{way(password)}" for way in (re.escape, _quoted_whole))
    return rf"(?<![^\W_])(?:{'|'.join(sides)})(?![^\W_])"


def _pattern_of(secret: str) -> str:
    if len(secret) > _LONGEST_SECRET:
        return re.escape(secret[:_LONGEST_SECRET]) + r"[^\s'\"<>]*+"
    if len(secret) >= LONG:
        return re.escape(secret)
    # Only where it stands alone: no "tv" out of "tvg-id".
    return rf"(?:(?<![^\W_])|(?<=%[0-9a-f]{{2}})){re.escape(secret)}(?![^\W_])"


@dataclass(frozen=True, slots=True)
class Log:
    """The log of this process, once it is set up."""

    redactor: Redactor
    recent: RecentLines
    repeats: RepeatFilter

    def tell_repeats(self) -> None:
        """Write what was held back; to be called every few seconds."""
        for record in self.repeats.due():
            logging.getLogger(record.name).handle(record)


def set_up_logging(config: Config) -> Log:
    """Everything that is logged in this process goes to standard error, redacted."""
    redactor = Redactor(config.sources, config.base_url)
    formatter = _formatter(config, redactor)
    repeats, recent = RepeatFilter(), RecentLines(redactor.redact)
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    handler.addFilter(repeats)
    handler.addFilter(recent)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.DEBUG if config.debug else logging.INFO)
    for name in ("gunicorn.error", "gunicorn.access"):  # they keep handlers of their own
        for its_handler in logging.getLogger(name).handlers:
            its_handler.setFormatter(formatter)
    # It logs each request with host and path, and warns of what is normal here.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    return Log(redactor, recent, repeats)


def _formatter(config: Config, redactor: Redactor) -> logging.Formatter:
    if config.log_format == "json":
        return JsonLines(redactor.redact if config.obfuscate_urls else str)
    if config.obfuscate_urls:
        return RedactingFormatter(FORMAT, config.sources, config.base_url, redactor)
    return logging.Formatter(FORMAT)
