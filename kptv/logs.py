"""The log: one line a state change, and no provider's URL, host, user or password in it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, unquote, urlsplit

from kptv.channels.model import Source
from kptv.config import Config

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_HIDDEN = "…"
_SHORTEST_SECRET = 3  # shorter ones would blank out half of every line
_PATTERNS = (
    # Any URL; then what libraries print of one in pieces.
    (re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>]+", re.IGNORECASE), _HIDDEN),
    (re.compile(r"\b(host=)'[^']*'"), rf"\1'{_HIDDEN}'"),
    (re.compile(r"(\"(?:GET|HEAD|POST) )\S+"), rf"\1{_HIDDEN}"),
    (re.compile(r"/(?:live|movie|series|timeshift)/[^\s/]+/[^\s'\"<>]+"), _HIDDEN),
    (re.compile(r"\b(username|password|token)=[^\s&'\"]+", re.IGNORECASE), rf"\1={_HIDDEN}"),
)


class RedactingFormatter(logging.Formatter):
    """Formats a record whole, its traceback too, then takes the secrets out."""

    def __init__(self, fmt: str, sources: Iterable[Source], own_url: str) -> None:
        super().__init__(fmt)
        secrets = {secret for source in sources for secret in secrets_of(source)}
        longest_first = sorted(secrets, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self._own_url = own_url

    def format(self, record: logging.LogRecord) -> str:
        return self.redact(super().format(record))

    def redact(self, text: str) -> str:
        """``text`` without URLs (save this proxy's own) and without the sources' secrets."""
        parts = text.split(self._own_url)
        return self._own_url.join(map(self._redact_part, parts))

    def _redact_part(self, text: str) -> str:
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return self._secrets.sub(_HIDDEN, text)


def secrets_of(source: Source) -> set[str]:
    """What of a source's URL must not be told: host, user, password, values of the query."""
    parts = urlsplit(source.url)
    if not parts.scheme.startswith("http"):
        return set()
    found = {parts.hostname, parts.username, parts.password}
    found |= {value for name, value in parse_qsl(parts.query) if name in _LOGIN_FIELDS}
    loopback = {"localhost", "127.0.0.1"}
    known = {secret for secret in found if secret and len(secret) >= _SHORTEST_SECRET} - loopback
    return known | {unquote(secret) for secret in known}


_LOGIN_FIELDS = frozenset(
    ("username", "user", "password", "pass", "token", "key", "auth", "u", "p")
)


def set_up_logging(config: Config) -> None:
    """Everything that is logged in this process goes to standard error, redacted."""
    formatter = logging.Formatter(FORMAT)
    if config.obfuscate_urls:
        formatter = RedactingFormatter(FORMAT, config.sources, config.base_url)
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.DEBUG if config.debug else logging.INFO)
    for name in ("gunicorn.error", "gunicorn.access"):  # they keep handlers of their own
        for its_handler in logging.getLogger(name).handlers:
            its_handler.setFormatter(formatter)
    # It logs each request with host and path, and warns of what is normal here.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
