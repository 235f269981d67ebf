"""What reads the text of a setting: each parser gives a value, or raises Rejected."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from string import ascii_letters, digits
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kptv.channels.guide.addresses import ACCEPTED, BadAddress, GuideAddress, parse_addresses
from kptv.channels.reach import Private
from kptv.formats.hls.variants import Selection, parse_selection
from kptv.formats.mpegts.aligner import PROBE_SIZE, sniff
from kptv.formats.xmltv.times import zone_of

DAY = 86400.0
MB = 1024**2
ALL_ADDRESSES = "::"

Network = IPv4Network | IPv6Network

_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SIZE_UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_LARGEST_SIZE = 2.0**50  # larger ones are nonsense, and infinity is no int
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmg])i?b?|b)?", re.IGNORECASE)
_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True}
_BOOLEANS |= {"false": False, "0": False, "no": False, "off": False}


class Rejected(ValueError):
    """Says what is accepted; ``read`` stands for the text in the message if that may be secret."""

    def __init__(self, accepted: str, read: str | None = None) -> None:
        super().__init__(accepted)
        self.accepted = accepted
        self.read = read


# --- Numbers ---


def whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text) or not low <= int(text) <= high:
            raise Rejected(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def duration(low: float, high: float) -> Callable[[str], float]:
    """Seconds, from ``5s``, ``500ms``, ``1h30m`` or ``2.5`` (seconds)."""

    def parse(text: str) -> float:
        seconds = _seconds(text)
        if not low <= seconds <= high:
            raise Rejected(f"a duration from {_shown(low)} to {_shown(high)}")
        return seconds

    return parse


def _seconds(text: str) -> float:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if re.fullmatch(rf"(?:{_DURATION.pattern})+", text):
        return sum(float(n) * _DURATION_UNITS[unit] for n, unit in _DURATION.findall(text))
    raise Rejected("a duration such as 500ms, 5s, 30m, 12h, 1h30m, or seconds as a number")


def _shown(seconds: float) -> str:
    return f"{seconds / 3600:g}h" if seconds >= 3600 else f"{seconds:g}s"


def size(low: int, high: int) -> Callable[[str], int]:
    """Bytes, from ``2048``, ``16MB`` or ``16MiB`` (both 1024-based)."""

    def parse(text: str) -> int:
        size = _bytes(text)
        if not low <= size <= high:
            raise Rejected(f"a size from {low} to {high} bytes")
        return size

    return parse


def _bytes(text: str) -> int:
    match = _SIZE.fullmatch(text)
    if not match:
        raise Rejected("bytes as a number, or a size such as 512KB, 16MB, 1GiB")
    size = float(match[1]) * _SIZE_UNITS[(match[2] or "").lower()]
    return int(min(size, _LARGEST_SIZE))


# --- Choices ---


def boolean(text: str) -> bool:
    """True or False, from true/false/1/0/yes/no/on/off in any case."""
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise Rejected("true, false, 1, 0, yes, no, on, off") from None


def descending(text: str) -> bool:
    return one_of("asc", "desc")(text) == "desc"


def one_of(*words: str) -> Callable[[str], str]:
    *others, last = words

    def parse(text: str) -> str:
        if text.lower() not in words:
            raise Rejected(f"{', '.join(others)} or {last}")
        return text.lower()

    return parse


def private(text: str) -> Private:
    """Whether lists may lead into the operator's own network."""
    if text.lower() == Private.AUTO:
        return Private.AUTO
    try:
        return Private.ALWAYS if boolean(text) else Private.NEVER
    except Rejected as rejected:
        raise Rejected(f"auto, {rejected.accepted}") from None


def selection(text: str) -> Selection:
    """Which variant of an HLS stream is played."""
    try:
        return parse_selection(text)
    except ValueError as error:
        raise Rejected(str(error)) from None


# --- Words, files, addresses ---


def guides(text: str) -> tuple[GuideAddress, ...]:
    """Where guides are. Nothing of their addresses is repeated."""
    try:
        addresses = parse_addresses(text)
    except BadAddress as error:
        raise Rejected(f"{ACCEPTED}; {error}", "an address") from None
    for address in addresses:
        if address.zone and not is_zone(address.zone):
            raise Rejected(f"{ACCEPTED}; this machine knows no zone of that name", address.zone)
    return addresses


def is_zone(name: str) -> bool:
    """Whether times can be read in the zone of this name."""
    try:
        return zone_of(name) is not None or bool(ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def header(text: str) -> str:
    """The value of an HTTP header."""
    if not text.isprintable() or not text.isascii():
        raise Rejected("printable ASCII, as HTTP headers hold it")
    return text


def attribute(text: str) -> str:
    """The name of an entry's attribute, in lower case."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", text):
        raise Rejected("an attribute's name such as tvg-name, tvg-id, tvg-chno, group-title")
    return text.lower()


def token(text: str) -> str:
    """A secret of the operator's own."""
    if not re.fullmatch(r"[!-~]{8,256}", text):
        raise Rejected("8 to 256 letters, digits or signs of ASCII, no spaces", read="…")
    return text


_OF_INSTANCES = frozenset(ascii_letters + digits + "-.:")


def instance(text: str) -> str:
    """The name of an instance."""
    if len(text) > 64 or not _OF_INSTANCES.issuperset(text):
        raise Rejected("up to 64 letters, digits and -.:")
    return text


def valkey(text: str) -> str:
    """The URL of a Valkey or Redis; it may hold a password."""
    accepted = "redis://[user:password@]host[:port][/number], rediss://… or unix:///path"
    try:
        parts = urlsplit(text)
        is_known = parts.scheme in ("redis", "rediss", "unix") and parts.port != 0
    except ValueError:
        is_known = False
    database = parts.path.strip("/") if is_known else ""
    if not is_known or (not database if parts.scheme == "unix" else not parts.hostname):
        raise Rejected(accepted, read="…")
    if parts.scheme != "unix" and database and not (database.isascii() and database.isdigit()):
        raise Rejected(accepted, read="…")
    return text


def host(text: str) -> str:
    """An address of this machine to listen on; ``::`` stands for all, of IPv4 too."""
    if text == "localhost":
        return "127.0.0.1"
    # Some shells, and openSUSE, set HOST to the machine's name. That is nobody's wish.
    if text in (name := socket.gethostname(), name.partition(".")[0]):
        return ALL_ADDRESSES
    try:
        return str(ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        raise Rejected(
            "an address of this machine, such as 127.0.0.1, 192.168.1.10, ::1; empty for all"
        ) from None


def folder(text: str) -> Path:
    if "\0" in text:
        raise Rejected("a folder's path")
    return Path(text)


def file(text: str) -> Path:
    if "\0" in text:
        raise Rejected("a file's path")
    return Path(text)


def program(text: str) -> str:
    """The name or path of a program; empty: none."""
    if "\0" in text:
        raise Rejected("a program's name or path; empty for none")
    return text


def slate(text: str) -> Path | None:
    """The path of a transport stream; None: no slate is shown."""
    if text.lower() == "off":
        return None
    path = Path(text)
    try:
        with path.open("rb") as file:
            playable = sniff(file.read(PROBE_SIZE), final=True)
    except (OSError, ValueError):
        playable = False
    if not playable:
        raise Rejected("the path of a transport stream (.ts) that can be read, or off")
    return path


def networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks, from texts separated by commas."""
    try:
        return tuple(ip_network(item.strip(), strict=False) for item in text.split(","))
    except ValueError:
        raise Rejected(
            "addresses or networks such as 172.20.0.1, 10.0.0.0/8, ::1, separated by commas"
        ) from None


def base_url(text: str) -> str:
    """The beginning of this proxy's links, without a slash at its end."""
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    # A login or a query: the operator has taken a provider's URL by mistake.
    valid = valid and not re.search(r"[\s\"<>@?#]", text) and text.isprintable()
    # That is a list's address, which begins with BASE_URL.
    valid = valid and not re.search(r"\.m3u8?/*$", text, re.IGNORECASE)
    if not valid:
        accepted = "http:// or https://, a host, and maybe a port and a path, without a list's name"
        raise Rejected(accepted, read=repr(re.sub(r"//[^/]*@|[?#].*", "…", text)))
    return text.rstrip("/")
