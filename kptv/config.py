"""The settings: read once from the environment and ``.env``, checked, frozen.

Imports nothing that imports ``ssl``: gunicorn.conf.py reads this before gevent patches.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values

from kptv.channels.model import Source
from kptv.channels.reach import Private
from kptv.errors import ConfigError
from kptv.formats.hls.variants import LOWEST, Selection, parse_selection
from kptv.formats.mpegts.aligner import PROBE_SIZE, sniff

# A still card ("channel unavailable, reconnecting"), silent: H.264 and AAC; see make_slate.sh.
DEFAULT_SLATE = Path(__file__).with_name("splice") / "slate.ts"
ENV_FILE = Path(__file__).resolve().parent.parent / ".env"  # beside wsgi.py

DEFAULT_PORT = 8080
DEMO_MARK = "KPTV_DEMO"  # set by kptv.demo.run, for a hint on the status page

Network = IPv4Network | IPv6Network
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SIZE_UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_LARGEST_SIZE = 2.0**50  # larger ones are nonsense, and infinity is no int
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmg])i?b?|b)?", re.IGNORECASE)
_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True}
_BOOLEANS |= {"false": False, "0": False, "no": False, "off": False}
# A comma parts two sources where a scheme follows or a limit precedes: a URL may hold commas.
_SOURCE_END = re.compile(r"(\|\s*\d{1,6}\s*),|,\s*(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_SOURCE_LIMIT = re.compile(r"\|\s*(\d{1,6})\s*$")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,15}://")
_LIST_SCHEMES = ("http", "https", "file", "")  # "": a plain path


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings. Durations in seconds, sizes in bytes."""

    sources: tuple[Source, ...]
    warnings: tuple[str, ...] = ()  # to be logged once the log is set up
    port: int = DEFAULT_PORT
    base_url: str = f"http://localhost:{DEFAULT_PORT}"
    enable_restreaming: bool = True
    max_retries: int = 3
    retry_delay: float = 5.0
    max_failures_before_block: int = 5
    import_refresh_interval: float = 12 * 3600.0
    worker_threads: int = 4
    max_buffer_size: int = 256 * 1024**2
    buffer_size_per_stream: int = 16 * 1024**2
    stream_timeout: float = 10.0
    stall_timeout: float = 5.0
    stream_linger: float = 10.0
    join_buffer: float = 2.0
    stream_give_up: float = 120.0
    min_data_size: int = 2048
    sort_field: str = "tvg-name"
    sort_descending: bool = False
    user_agent: str = "VLC/3.0.18 LibVLC/3.0.18"
    req_origin: str = ""
    req_referrer: str = ""
    obfuscate_urls: bool = True
    debug: bool = False
    cache_enabled: bool = True
    cache_duration: float = 1800.0
    data_dir: Path = Path("data")
    slate: Path | None = DEFAULT_SLATE  # shown while nothing works; None: nothing is
    variant_selection: Selection = LOWEST
    ffmpeg: str = "ffmpeg"  # empty: none
    log_format: str = "text"
    status_page: bool = True
    admin_token: str = field(default="", repr=False)  # empty: nobody may change anything
    max_clients: int = 5000  # viewers
    allow_private_upstreams: Private = Private.AUTO
    trusted_proxies: tuple[Network, ...] = LOOPBACK
    demo: bool = False  # `make run` without SOURCES says so; no setting


class _Rejected(ValueError):
    """What is accepted, for the message; ``read`` replaces the value where it holds a secret."""

    def __init__(self, accepted: str, read: str | None = None) -> None:
        super().__init__(accepted)
        self.accepted = accepted
        self.read = read


def load_config(
    environ: Mapping[str, str] | None = None, env_file: Path | None = ENV_FILE
) -> Config:
    """The settings of ``environ`` (default: the process's) over those of ``env_file``.

    Raises ConfigError with one message that names every variable that cannot be used,
    what was read and what is accepted.
    """
    values = _read_env_file(env_file) if env_file else {}
    values.update(os.environ if environ is None else environ)
    complaints: list[str] = []
    warnings: list[str] = []
    fields: dict[str, Any] = {}
    for variable, (field_name, parse) in _SETTINGS.items():
        text = (values.get(variable) or "").strip()
        if not text and variable != "SOURCES" and not (variable == "FFMPEG" and variable in values):
            continue  # empty is unset, as in `VARIABLE=` of an env file; an empty FFMPEG is none
        try:
            fields[field_name] = parse(text)
        except _Rejected as rejected:
            read = repr(text) if rejected.read is None else rejected.read
            complaints.append(f"  {variable}: read {read}; accepted: {rejected.accepted}")
    if complaints:
        raise ConfigError("Cannot start with these settings:\n" + "\n".join(complaints))
    fields.setdefault("base_url", f"http://localhost:{fields.get('port', DEFAULT_PORT)}")
    fields["sources"], warnings = fields["sources"]
    demo = bool(values.get(DEMO_MARK))
    return Config(warnings=tuple(warnings), demo=demo, **fields)


def _read_env_file(path: Path) -> dict[str, str | None]:
    """Its variables, none where there is no such file; a byte order mark is no part of them."""
    try:
        return dict(dotenv_values(path, encoding="utf-8-sig"))
    except (OSError, UnicodeError) as error:
        what = "not UTF-8" if isinstance(error, UnicodeError) else error.strerror
        raise ConfigError(f"Cannot read the settings in {path}: {what}.") from None


def parse_duration(text: str) -> float:
    """Seconds: of ``5s``, ``500ms``, ``1h30m``, ``2.5`` (seconds)."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if re.fullmatch(rf"(?:{_DURATION.pattern})+", text):
        return sum(float(n) * _DURATION_UNITS[unit] for n, unit in _DURATION.findall(text))
    raise _Rejected("a duration such as 500ms, 5s, 30m, 12h, 1h30m, or seconds as a number")


def parse_size(text: str) -> int:
    """Bytes: of ``2048``, ``16MB``, ``16MiB`` (both 1024-based)."""
    match = _SIZE.fullmatch(text)
    if not match:
        raise _Rejected("bytes as a number, or a size such as 512KB, 16MB, 1GiB")
    size = float(match[1]) * _SIZE_UNITS[(match[2] or "").lower()]
    return int(min(size, _LARGEST_SIZE))


def parse_boolean(text: str) -> bool:
    """True or False: of true/false/1/0/yes/no/on/off in any case."""
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise _Rejected("true, false, 1, 0, yes, no, on, off") from None


def parse_sources(text: str) -> tuple[tuple[Source, ...], list[str]]:
    """Sources and warnings: of ``URL|MaxConns,URL|MaxConns``."""
    accepted = "URL|MaxConnections, several separated by commas (http, https, file or a path)"
    if not text:
        raise _Rejected(
            f"{accepted}; for example SOURCES=http://provider.example/list.m3u|2", "nothing"
        )
    sources, warnings = [], []
    for number, item in enumerate(_split_sources(text), start=1):
        limit = _SOURCE_LIMIT.search(item)
        url = (item[: limit.start()] if limit else item).strip()
        if not _is_list_url(url) or (not limit and re.search(r"\|[^|/]*$", url)):
            raise _Rejected(accepted, read=f"{_shape_of(item)} as source {number}")
        if limit is None:
            warnings.append(
                f"SOURCES: source {number} names no limit: 1 connection assumed."
                " Append |N for N connections, |0 for no limit"
            )
        sources.append(Source(number, url, int(limit[1]) if limit else 1))
    return tuple(sources), warnings


def _split_sources(text: str) -> list[str]:
    items, start = [], 0
    for end in _SOURCE_END.finditer(text):
        items.append(text[start : end.start()] + (end[1] or ""))
        start = end.end()
    return [*items, text[start:]]


def _is_list_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https"):
            return bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", url)
    except ValueError:
        return False
    return parts.scheme in _LIST_SCHEMES and bool(parts.path) and "\0" not in url


def _shape_of(item: str) -> str:
    """A source's text with all that could be a secret left out: ``'ftp://…|…'``."""
    item = item.strip()
    scheme = _SCHEME.match(item)
    limit = _SOURCE_LIMIT.search(item)
    tail = limit[0].strip() if limit else "|…" if "|" in item else ""
    return repr(f"{scheme[0] if scheme else ''}…{tail}") if item else "nothing"


def _base_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    # What a provider's URL has and this one must not have: a login, a query.
    valid = valid and not re.search(r"[\s\"<>@?#]", text) and text.isprintable()
    if not valid:
        accepted = "http:// or https://, a host, and maybe a port and a path"
        raise _Rejected(accepted, read=repr(re.sub(r"//[^/]*@|[?#].*", "…", text)))
    return text.rstrip("/")


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text) or not low <= int(text) <= high:
            raise _Rejected(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def _duration(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        seconds = parse_duration(text)
        if not low <= seconds <= high:
            raise _Rejected(f"a duration from {_shown(low)} to {_shown(high)}")
        return seconds

    return parse


def _shown(seconds: float) -> str:
    return f"{seconds / 3600:g}h" if seconds >= 3600 else f"{seconds:g}s"


def _size(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        size = parse_size(text)
        if not low <= size <= high:
            raise _Rejected(f"a size from {low} to {high} bytes")
        return size

    return parse


def _header(text: str) -> str:
    if not text.isprintable() or not text.isascii():
        raise _Rejected("printable ASCII, as HTTP headers hold it")
    return text


def _attribute(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", text):
        raise _Rejected("an attribute's name such as tvg-name, tvg-id, tvg-chno, group-title")
    return text.lower()


def _folder(text: str) -> Path:
    if "\0" in text:
        raise _Rejected("a folder's path")
    return Path(text)


def _descending(text: str) -> bool:
    if text.lower() not in ("asc", "desc"):
        raise _Rejected("asc or desc")
    return text.lower() == "desc"


def _slate(text: str) -> Path | None:
    if text.lower() == "off":
        return None
    path = Path(text)
    try:
        with path.open("rb") as file:
            playable = sniff(file.read(PROBE_SIZE), final=True)
    except (OSError, ValueError):
        playable = False
    if not playable:
        raise _Rejected("the path of a transport stream (.ts) that can be read, or off")
    return path


def _program(text: str) -> str:
    if "\0" in text:
        raise _Rejected("a program's name or path; empty for none")
    return text


def _selection(text: str) -> Selection:
    try:
        return parse_selection(text)
    except ValueError as error:
        raise _Rejected(str(error)) from None


def _log_format(text: str) -> str:
    if text.lower() not in ("text", "json"):
        raise _Rejected("text or json")
    return text.lower()


def _admin_token(text: str) -> str:
    if not re.fullmatch(r"[!-~]{8,256}", text):
        raise _Rejected("8 to 256 letters, digits or signs of ASCII, no spaces", read="…")
    return text


def _private(text: str) -> Private:
    if text.lower() == Private.AUTO:
        return Private.AUTO
    try:
        return Private.ALWAYS if parse_boolean(text) else Private.NEVER
    except _Rejected as rejected:
        raise _Rejected(f"auto, {rejected.accepted}") from None


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(item.strip(), strict=False) for item in text.split(","))
    except ValueError:
        raise _Rejected(
            "addresses or networks such as 172.20.0.1, 10.0.0.0/8, ::1, separated by commas"
        ) from None


_DAY = 86400.0
_MB = 1024**2

# variable -> (field of Config, what reads it). A row here is a row in README and .env.example.
_SETTINGS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "PORT": ("port", _whole(1, 65535)),
    "BASE_URL": ("base_url", _base_url),
    "SOURCES": ("sources", parse_sources),
    "ENABLE_RESTREAMING": ("enable_restreaming", parse_boolean),
    "MAX_RETRIES": ("max_retries", _whole(0, 1000)),
    "RETRY_DELAY": ("retry_delay", _duration(0.01, 3600)),
    "MAX_FAILURES_BEFORE_BLOCK": ("max_failures_before_block", _whole(1, 1_000_000)),
    "IMPORT_REFRESH_INTERVAL": ("import_refresh_interval", _duration(1, 365 * _DAY)),
    "WORKER_THREADS": ("worker_threads", _whole(1, 64)),
    "MAX_BUFFER_SIZE": ("max_buffer_size", _size(_MB, 1024**2 * _MB)),
    "BUFFER_SIZE_PER_STREAM": ("buffer_size_per_stream", _size(_MB // 4, 1024 * _MB)),
    "STREAM_TIMEOUT": ("stream_timeout", _duration(0.1, 600)),
    "STALL_TIMEOUT": ("stall_timeout", _duration(0.1, 600)),
    "STREAM_LINGER": ("stream_linger", _duration(0, 3600)),
    "JOIN_BUFFER": ("join_buffer", _duration(0, 60)),
    "STREAM_GIVE_UP": ("stream_give_up", _duration(0, _DAY)),
    "MIN_DATA_SIZE": ("min_data_size", _size(188, 16 * _MB)),
    "SORT_FIELD": ("sort_field", _attribute),
    "SORT_DIRECTION": ("sort_descending", _descending),
    "USER_AGENT": ("user_agent", _header),
    "REQ_ORIGIN": ("req_origin", _header),
    "REQ_REFERRER": ("req_referrer", _header),
    "OBFUSCATE_URLS": ("obfuscate_urls", parse_boolean),
    "DEBUG": ("debug", parse_boolean),
    "CACHE_ENABLED": ("cache_enabled", parse_boolean),
    "CACHE_DURATION": ("cache_duration", _duration(0, 365 * _DAY)),
    "DATA_DIR": ("data_dir", _folder),
    "SLATE": ("slate", _slate),
    "VARIANT_SELECTION": ("variant_selection", _selection),
    "FFMPEG": ("ffmpeg", _program),
    "LOG_FORMAT": ("log_format", _log_format),
    "STATUS_PAGE": ("status_page", parse_boolean),
    "ADMIN_TOKEN": ("admin_token", _admin_token),
    "ALLOW_PRIVATE_UPSTREAMS": ("allow_private_upstreams", _private),
    "MAX_CLIENTS": ("max_clients", _whole(1, 100_000)),
    "TRUSTED_PROXIES": ("trusted_proxies", _networks),
}

VARIABLES = tuple(_SETTINGS)
