"""The rules for HLS of a live channel, as a table, and what of them was broken by what was served.

They are those of RFC 8216, of its successor (draft-pantos-hls-rfc8216bis) and of Apple's authoring
specification that a server of live transport streams must follow; and what players need besides.
It judges with the m3u8 package and with ``ts_checker``, and knows nothing of kptv.

Keep each list as it was served (``Load``) and each answer for a segment (``Fetched``), and ask
``broken`` what is wrong with them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import m3u8

from tests.formats.ts_checker import WRAP, Report, check

TICKS = 90_000
LISTS = "application/vnd.apple.mpegurl"
SEGMENTS = "video/mp2t"
FEWEST = 6  # segments in a list, once there are so many
_VIDEO = {0x01, 0x02, 0x10, 0x1B, 0x24}  # stream types
_SOUND = {0x03, 0x04, 0x0F, 0x11, 0x81, 0x87}
_DATE = re.compile(r"#EXT-X-PROGRAM-DATE-TIME:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_VERSION, _TARGET = "#EXT-X-VERSION:", "#EXT-X-TARGETDURATION:"
_NUMBER, _BREAKS = "#EXT-X-MEDIA-SEQUENCE:", "#EXT-X-DISCONTINUITY-SEQUENCE:"
_BREAK, _DATED = "#EXT-X-DISCONTINUITY", "#EXT-X-PROGRAM-DATE-TIME:"


@dataclass(frozen=True)
class Load:
    """A media playlist as it was served; no headers: it did not come over HTTP."""

    at: float  # seconds, of any clock
    text: str  # decoded
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    status: int = 200

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @cached_property
    def read(self) -> Any:
        return m3u8.loads(self.text)

    @cached_property
    def target(self) -> int:
        return int(self.read.target_duration or 0)

    @cached_property
    def entries(self) -> list[Entry]:
        found, breaks = [], int(self.read.discontinuity_sequence or 0)
        for number, segment in enumerate(self.read.segments, self.read.media_sequence or 0):
            breaks += segment.discontinuity
            date = segment.current_program_date_time
            at = date.timestamp() if date else None
            found.append(Entry(number, segment.uri, segment.duration or 0.0, at, breaks))
        return found

    @cached_property
    def seconds(self) -> float:
        return sum(entry.duration for entry in self.entries)

    def begins_anew(self, before: Load) -> bool:
        """Whether nothing is left of the list before: the channel was ended, and began again."""
        return bool(before.entries and self.entries) and (
            self.entries[0].number > before.entries[-1].number
        )

    def tagged(self, tag: str) -> list[str]:
        return [line for line in self.lines if line.startswith(tag)]


class Entry(NamedTuple):
    """A segment as a list names it."""

    number: int
    uri: str
    duration: float
    date: float | None
    breaks: int  # its discontinuity sequence number


@dataclass(frozen=True)
class Fetched:
    """An answer for a segment."""

    number: int
    data: bytes
    at: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True)
class Served:
    """What one player, or a test that looks like one, was given of a channel."""

    loads: tuple[Load, ...]
    fetched: tuple[Fetched, ...] = ()
    multivariant: str = ""  # that playlist, if it was asked for
    late: float = 0.0  # seconds for which nothing worked, so that nothing could be listed
    gzipped: bool = True  # lists were asked for with Accept-Encoding

    @cached_property
    def last(self) -> dict[int, Entry]:
        """All that was ever listed, as it was listed last."""
        return {entry.number: entry for load in self.loads for entry in load.entries}

    @cached_property
    def media(self) -> dict[int, bytes]:
        return {fetch.number: fetch.data for fetch in self.fetched if fetch.status == 200}

    @cached_property
    def reports(self) -> dict[int, Report]:
        return {number: check(data) for number, data in sorted(self.media.items())}

    @cached_property
    def neighbours(self) -> list[tuple[Entry, Entry]]:
        """Segments that were listed and fetched, and those behind them."""
        known = [entry for number, entry in sorted(self.last.items()) if number in self.media]
        return [(one, two) for one, two in pairwise(known) if two.number == one.number + 1]


class Rule(NamedTuple):
    """A rule: where it stands, what it says, and what breaks it."""

    number: str
    what: str
    breaches: Callable[[Served], Iterator[str]]


RULES: list[Rule] = []


def broken(served: Served) -> list[str]:
    """What was served against the rules; nothing if all is well."""
    return [
        f"{rule.number}: {rule.what}: {breach}"
        for rule in RULES
        for breach in rule.breaches(served)
    ]


def _rule(number: str, what: str) -> Callable[[Callable[[Served], Iterator[str]]], None]:
    return lambda breaches: RULES.append(Rule(number, what, breaches))


# --- Lists, each for itself --------------------------------------------------------------


@_rule("RFC 8216, 4.1", "lists are UTF-8 in NFC without a mark of byte order or control characters")
def _text(served: Served) -> Iterator[str]:
    for load in served.loads:
        if re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\ufeff]", load.text):
            yield f"in the list at {load.at:.1f}"
        if unicodedata.normalize("NFC", load.text) != load.text:
            yield f"no NFC in the list at {load.at:.1f}"


@_rule("RFC 8216, 4.1, comments", "lines are tags, URIs, comments or nothing")
def _lines(served: Served) -> Iterator[str]:
    for load in served.loads:
        uris = {entry.uri for entry in load.entries}
        known = ("#EXTM3U", "#EXTINF:", "#EXT-X-", "# ")
        odd = [line for line in load.lines if line and line not in uris]
        odd = [line for line in odd if not line.startswith(known)]
        if odd or not load.text.endswith("\n"):
            yield f"{odd} in the list at {load.at:.1f}"


@_rule("RFC 8216, 4.3.1.1", "a list begins with EXTM3U")
def _begins(served: Served) -> Iterator[str]:
    yield from (load.lines[0] for load in served.loads if load.lines[0] != "#EXTM3U")


@_rule("RFC 8216, 4.3.1.2 and 7", "the version is 3, as decimal durations need and no tag exceeds")
def _version(served: Served) -> Iterator[str]:
    newer = ("#EXT-X-MAP", "#EXT-X-BYTERANGE", "#EXT-X-SKIP", "#EXT-X-DEFINE", "#EXT-X-PART")
    for load in served.loads:
        if load.tagged(_VERSION) != [_VERSION + "3"] or any(map(load.tagged, newer)):
            yield str(load.tagged(_VERSION))


@_rule("RFC 8216, 4.3.2.1", "each segment has a duration above 0")
def _durations(served: Served) -> Iterator[str]:
    for load in served.loads:
        if not load.entries or len(load.tagged("#EXTINF:")) != len(load.entries):
            yield f"{len(load.entries)} segments at {load.at:.1f}"
        yield from (str(entry) for entry in load.entries if entry.duration <= 0)


@_rule("RFC 8216, 4.3.3.1", "the target duration is told once, and no rounded duration exceeds it")
def _target(served: Served) -> Iterator[str]:
    for load in served.loads:
        if len(load.tagged(_TARGET)) != 1:
            yield str(load.tagged(_TARGET))
        longest = load.target + 0.5
        yield from (f"{e} of {load.target}" for e in load.entries if e.duration >= longest)


@_rule("RFC 8216, 4.3.3.2", "the number of the first segment is told once, before it")
def _numbered(served: Served) -> Iterator[str]:
    yield from _told_first(served, _NUMBER)


@_rule("RFC 8216, 4.3.3.3; Apple 8.17", "the number of discontinuities is always told, before them")
def _counted(served: Served) -> Iterator[str]:
    yield from _told_first(served, _BREAKS)


def _told_first(served: Served, tag: str) -> Iterator[str]:
    for load in served.loads:
        head = load.text.partition("#EXTINF:")[0].split("\n")
        at = [n for n, line in enumerate(head) if line.startswith(tag)]
        if len(at) != 1 or len(load.tagged(tag)) != 1 or _BREAK in head[: at[0]]:
            yield f"{load.tagged(tag)} in the list at {load.at:.1f}"


@_rule("RFC 8216, 4.3.3.4 and 5", "a live list neither ends nor is of a type")
def _live(served: Served) -> Iterator[str]:
    for load in served.loads:
        yield from load.tagged("#EXT-X-ENDLIST") + load.tagged("#EXT-X-PLAYLIST-TYPE")


@_rule(
    "RFC 8216bis, 4.4.3.8", "blocking reloads are promised, and three target durations held back"
)
def _control(served: Served) -> Iterator[str]:
    for load in served.loads:
        control = load.read.server_control
        told = control and (control.can_block_reload, control.hold_back)
        if not told or told[0] != "YES" or told[1] < 3 * load.target:
            yield f"{told} in the list at {load.at:.1f}"


@_rule(
    "Apple 8.4", "the first segment and each behind a discontinuity is dated, to the millisecond"
)
def _dated(served: Served) -> Iterator[str]:
    for load in served.loads:
        wanted = 1 + sum(two.breaks > one.breaks for one, two in pairwise(load.entries))
        tags = [n for n, line in enumerate(load.lines) if _DATE.fullmatch(line)]
        first = next((n for n, line in enumerate(load.lines) if line.startswith("#EXTINF")), 0)
        behind = [n for n in tags if load.lines[n - 1] == _BREAK or n + 1 == first]
        if not len(load.tagged(_DATED)) == len(tags) == len(behind) == wanted:
            yield f"{load.tagged(_DATED)} in the list at {load.at:.1f}"


@_rule("Apple 8.11", "six segments are listed as soon as there are six")
def _enough(served: Served) -> Iterator[str]:
    numbers: set[int] = set()
    for before, load in pairwise([*served.loads[:1], *served.loads]):
        if load.begins_anew(before):
            numbers.clear()
        numbers.update(entry.number for entry in load.entries)
        if len(load.entries) < min(FEWEST, len(numbers)):
            yield f"{len(load.entries)} at {load.at:.1f}"


@_rule("Apple 9.12", "each segment decodes without those before it, and the list says so")
def _independent(served: Served) -> Iterator[str]:
    for load in served.loads:
        if not load.tagged("#EXT-X-INDEPENDENT-SEGMENTS"):
            yield f"not told at {load.at:.1f}"
    for number, report in served.reports.items():
        if report.errors:
            yield f"segment {number}: {report.errors[0]}"


@_rule("relative URIs", "segments have addresses that work behind any path")
def _relative(served: Served) -> Iterator[str]:
    yield from (e.uri for e in served.last.values() if re.match(r"[a-z]+:|/|\S*[{}\s]", e.uri))


# --- Lists, one after another ------------------------------------------------------------


@_rule("RFC 8216, 6.2.1", "the target duration never falls")
def _rises(served: Served) -> Iterator[str]:
    for one, two in pairwise(served.loads):
        if two.target < one.target:
            yield f"{one.target} to {two.target} at {two.at:.1f}"


@_rule(
    "RFC 8216, 6.2.2, numbers", "the number of the first segment never falls, nor that of breaks"
)
def _forward(served: Served) -> Iterator[str]:
    for one, two in pairwise([load.entries[0] for load in served.loads if load.entries]):
        if two.number < one.number or two.breaks < one.breaks:
            yield f"{one} before {two}"


@_rule("RFC 8216, 6.2.2, changes", "a segment stays as it is, and goes only after those before it")
def _same(served: Served) -> Iterator[str]:
    known: dict[int, Entry] = {}
    for load in served.loads:
        for entry in load.entries:
            before = known.setdefault(entry.number, entry)
            moved = abs((before.date or 0) - (entry.date or 0)) > 0.0015
            if moved or before._replace(date=None) != entry._replace(date=None):
                yield f"{before} became {entry}"
        if known and load.entries and load.entries[-1].number < max(known):
            yield f"{max(known)} was listed before the list at {load.at:.1f}"


@_rule("RFC 8216, 6.2.2, removal", "what is left when a segment goes lasts three target durations")
def _left(served: Served) -> Iterator[str]:
    for one, two in pairwise(served.loads):
        removed = one.entries and two.entries and two.entries[0].number > one.entries[0].number
        if removed and not two.begins_anew(one) and two.seconds < 3 * two.target - 0.001:
            yield f"{two.seconds:.3f} s left at {two.at:.1f}"


@_rule("RFC 8216, 6.2.2, in time", "one more segment is listed within 1.5 target durations")
def _in_time(served: Served) -> Iterator[str]:
    since: tuple[int, float] | None = None
    for before, load in pairwise([*served.loads[:1], *served.loads]):
        newest = load.entries[-1].number if load.entries else -1
        if since and before.at - since[1] > 1.5 * load.target + served.late:
            yield f"{since[0]} was the newest for {before.at - since[1]:.1f} s"
        if since is None or newest > since[0]:
            since = newest, load.at


@_rule("RFC 8216, 6.2.2, gone", "a removed segment is there for its time and that of its list")
def _gone(served: Served) -> Iterator[str]:
    for fetch in served.fetched:
        listing = [
            load for load in served.loads if any(e.number == fetch.number for e in load.entries)
        ]
        if fetch.status == 200 or not listing:
            continue
        after = [load.at for load in served.loads if load.at > listing[-1].at]
        longest = max(load.seconds for load in listing) + served.last[fetch.number].duration
        if not after or fetch.at < after[0] + longest:
            yield f"{fetch.number} answered {fetch.status} at {fetch.at:.1f}"


@_rule("RFC 8216, 4.3.2.6", "dates never run back, and agree with the durations between them")
def _clock(served: Served) -> Iterator[str]:
    for load in served.loads:
        for one, two in pairwise(load.entries):
            end = (one.date or 0.0) + one.duration
            step = (two.date or 0.0) - end
            if step < -0.0015 or (two.breaks == one.breaks and step > 0.0015):
                yield f"{two} behind {one}"


@_rule("Apple 12.4", "a URI names one segment, ever")
def _unique(served: Served) -> Iterator[str]:
    named: dict[str, int] = {}
    for load in served.loads:
        for entry in load.entries:
            if named.setdefault(entry.uri, entry.number) != entry.number:
                yield f"{entry.uri} is {entry.number} and {named[entry.uri]}"


# --- Segments ----------------------------------------------------------------------------


@_rule("RFC 8216, 3.2", "a segment is whole packets, and begins with its tables")
def _tables(served: Served) -> Iterator[str]:
    for number, data in served.media.items():
        pmts = served.reports[number].pmts
        pat, pmt = _pid(data, 0), data[188 + 5 : 188 + 6]
        if len(data) % 188 or not data or pat != 0 or pmt != b"\x02" or len(pmts) != 1:
            yield f"segment {number} of {len(data)} bytes begins with PID {pat}"


@_rule("Apple 7.2", "counters go on from a segment to one that goes on behind it")
def _counters(served: Served) -> Iterator[str]:
    for one, two in served.neighbours:
        if one.breaks != two.breaks:
            continue
        joined = check(served.media[one.number] + served.media[two.number], clock_steps_ok=True)
        errors = [error for error in joined.errors if "counter" in error]
        yield from (f"{error}, {one.number} to {two.number}" for error in errors[:1])


@_rule("Apple 7.4", "a segment with pictures begins with one that a decoder starts from")
def _starts(served: Served) -> Iterator[str]:
    for number, report in served.reports.items():
        pid, kind = _lead(report)
        if kind in _VIDEO:
            (first, second) = (*report.begun[pid], 0, 0)[:2]
            data = served.media[number]
            unit = data[first * 188 : (second * 188) or None]
            if not re.search(_SETS[kind], unit):
                yield f"segment {number}"


@_rule("Apple 7.7", "a duration exceeds the target by half a second at most")
def _half(served: Served) -> Iterator[str]:
    for load in served.loads:
        yield from (str(e) for e in load.entries if e.duration > load.target + 0.5)


@_rule("Apple 8.1", "any run of durations is true, to a frame")
def _true(served: Served) -> Iterator[str]:
    run: list[Entry] = []
    for _, entry in sorted(served.last.items()):
        if run and (entry.number != run[-1].number + 1 or entry.breaks != run[-1].breaks):
            run = []
        if entry.number not in served.media:
            run = []
            continue
        run.append(entry)
        told = sum(one.duration for one in run)
        begin, (end, frame) = (
            _begin(served.reports[run[0].number]),
            _end(served.reports[entry.number]),
        )
        truth = (end - begin) % WRAP / TICKS
        if abs(told - truth) > frame / TICKS + 0.001:
            yield f"{told:.3f} s are {truth:.3f} s, from {run[0].number} to {entry.number}"


@_rule("RFC 8216, 4.3.2.3; Apple 8.13", "where tracks or times change there is a discontinuity")
def _marked(served: Served) -> Iterator[str]:
    for one, two in served.neighbours:
        before, after = served.reports[one.number], served.reports[two.number]
        end, frame = _end(before)
        step = (_begin(after) - end + WRAP // 2) % WRAP - WRAP // 2
        if one.breaks == two.breaks and before.pmts[-1][2] != after.pmts[-1][2]:
            yield f"tracks change from {one.number} to {two.number}"
        if one.breaks == two.breaks and abs(step) > max(2 * frame, TICKS // 3):
            yield f"{step / TICKS:.3f} s between {one.number} and {two.number}"


_SETS = {
    0x01: rb"\x00\x00\x01\xb3",
    0x02: rb"\x00\x00\x01\xb3",
    0x10: rb"\x00\x00\x01[\x20-\x2f]",
    0x1B: rb"\x00\x00\x01[\x07\x27\x47\x67]",
    0x24: rb"\x00\x00\x01\x42",
}


def _pid(data: bytes, at: int) -> int:
    return (data[at + 1] & 0x1F) << 8 | data[at + 2] if len(data) > at + 2 else -1


def _lead(report: Report) -> tuple[int, int]:
    """PID and stream type of what a segment's times are those of: its picture, or its sound."""
    streams = report.pmts[-1][2] if report.pmts else {}
    for kinds in (_VIDEO, _SOUND, set(streams.values())):
        for pid, kind in streams.items():
            if kind in kinds and report.dts[pid]:
                return pid, kind
    return -1, -1


def _begin(report: Report) -> int:
    return (report.dts[_lead(report)[0]] or [0])[0]


def _end(report: Report) -> tuple[int, int]:
    """When the last frame is over, and how long the longest lasts."""
    times = report.dts[_lead(report)[0]] or [0]
    steps = sorted((two - one) % WRAP for one, two in pairwise(times)) or [TICKS // 25]
    return (times[-1] + steps[len(steps) // 2]) % WRAP, steps[-1]


# --- HTTP, where it was spoken -----------------------------------------------------------


@_rule("Apple 8.18", "lists and segments are answered where they are asked for")
def _direct(served: Served) -> Iterator[str]:
    answers = [load.status for load in served.loads] + [f.status for f in served.fetched]
    yield from (str(status) for status in answers if 300 <= status < 400)


@_rule("RFC 8216, 4", "lists and segments tell their type")
def _types(served: Served) -> Iterator[str]:
    for headers, wanted in _answers(served):
        if headers.get("content-type", "").partition(";")[0] != wanted:
            yield f"{headers.get('content-type')} for {wanted}"


@_rule("Apple 10.1", "lists are packed")
def _packed(served: Served) -> Iterator[str]:
    for load in served.loads:
        if served.gzipped and load.headers and load.headers.get("content-encoding") != "gzip":
            yield f"the list at {load.at:.1f}"


@_rule("CORS", "pages of any origin may read lists and segments")
def _shared(served: Served) -> Iterator[str]:
    for headers, wanted in _answers(served):
        if headers.get("access-control-allow-origin") != "*":
            yield wanted


@_rule("Cache-Control", "a list is never kept for long, a segment may be, and an error is not")
def _kept(served: Served) -> Iterator[str]:
    answers = [(load.headers, r".*\bmax-age=1\b|.*\bno-cache\b") for load in served.loads]
    for fetch in served.fetched:
        answers.append((fetch.headers, ".*immutable" if fetch.status == 200 else ".*no-store"))
    for headers, wanted in answers:
        if headers and not re.match(wanted, headers.get("cache-control", "")):
            yield f"{headers.get('cache-control')!r} is not {wanted}"


def _answers(served: Served) -> Iterator[tuple[Mapping[str, str], str]]:
    """The headers of each good answer, and its type."""
    yield from ((load.headers, LISTS) for load in served.loads if load.headers)
    yield from ((f.headers, SEGMENTS) for f in served.fetched if f.headers and f.status == 200)


# --- The multivariant playlist -----------------------------------------------------------


@_rule("Apple 9.1, 9.2, 9.13, 9.15", "the variant tells its bandwidth, codecs, size and frame rate")
def _variant(served: Served) -> Iterator[str]:
    if not served.multivariant:
        return
    variants = m3u8.loads(served.multivariant).playlists
    told = variants[0].stream_info if len(variants) == 1 else None
    if told is None or not told.bandwidth or not told.codecs:
        yield served.multivariant
        return
    pictures = any(_lead(report)[1] in _VIDEO for report in served.reports.values())
    if pictures and not (told.resolution and told.frame_rate):
        yield served.multivariant


@_rule("RFC 8216bis, 4.4.6.2", "BANDWIDTH is the highest bit rate of a segment, to a tenth")
def _bandwidth(served: Served) -> Iterator[str]:
    variants = m3u8.loads(served.multivariant).playlists if served.multivariant else []
    listed = {entry.number for entry in served.loads[-1].entries}  # when it was asked for
    rates = {
        number: len(data) * 8 / served.last[number].duration
        for number, data in served.media.items()
        if number in served.last and served.last[number].duration >= served.loads[-1].target / 2
    }
    least = [rate for number, rate in rates.items() if number in listed]
    for variant in variants:
        told = variant.stream_info
        if least and not 0.9 * max(least) <= told.bandwidth <= 1.5 * max(rates.values()):
            yield f"{told.bandwidth} for {max(least):.0f} to {max(rates.values()):.0f}"
        if (told.average_bandwidth or 0) > told.bandwidth:
            yield f"{told.average_bandwidth} on average"
