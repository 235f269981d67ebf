"""What becomes of one entry, and why: each step, and the channel that it is a candidate of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kptv.channels.catalog import Catalog
from kptv.channels.grouping import normalised
from kptv.channels.model import Channel
from kptv.channels.rules.model import Rules
from kptv.channels.rules.report.listed import ListedEntry
from kptv.channels.rules.trace import Trace, TraceStep, trace
from kptv.channels.secrets import Finder

MOST_CANDIDATES = 64


@dataclass(frozen=True, slots=True)
class ExplainedStream:
    """A stream of a channel, in the order in which they are tried."""

    name: str  # as its list has it
    source: str
    is_this: bool  # it is the entry that is explained


@dataclass(frozen=True, slots=True)
class Explanation:
    """What becomes of an entry."""

    entry: ListedEntry
    is_listed: bool  # False: no list has it, and this is what would become of it
    steps: tuple[TraceStep, ...]
    is_dropped: bool
    key: str  # by which entries join; empty: it is dropped
    channel: str  # its name; empty: there is no such channel
    slug: str
    candidates: tuple[ExplainedStream, ...]
    guide: str  # the channel's tvg-id
    number: int  # the channel's; 0: it has that of its list, if any


def explained(catalog: Catalog, entry: ListedEntry, *, is_listed: bool) -> Explanation:
    """What becomes of ``entry`` in this catalog."""
    rules = catalog.ruled.rules if catalog.ruled is not None else Rules()
    told = trace(
        rules,
        entry.name,
        source=entry.number,
        groups=entry.groups,
        attributes={**entry.attributes, "url": entry.url},
        sources=catalog.sources.values(),
    )
    channel = None if told.verdict.is_dropped else _channel_of(catalog, entry, told)
    return Explanation(
        entry,
        is_listed,
        (*told.steps, *_said_of_channel(rules, told)),
        told.verdict.is_dropped,
        told.key,
        channel.name if channel else "",
        channel.slug if channel else "",
        tuple(_candidates(channel, entry)) if channel else (),
        _guide(channel, Finder(catalog.secrets)) if channel else "",
        _number(catalog, channel) if channel else 0,
    )


def _channel_of(catalog: Catalog, entry: ListedEntry, told: Trace) -> Channel | None:
    """The channel that has the entry, or else the one that it would join."""
    found = [catalog.find(name) for name in (told.key, told.verdict.key, entry.name)]
    channels = [channel for channel in found if channel is not None]
    return next(
        (channel for channel in channels if any(c.is_this for c in _candidates(channel, entry))),
        next(iter(channels[:1]), None),
    )


def _candidates(channel: Channel, entry: ListedEntry) -> Iterator[ExplainedStream]:
    for stream in channel.streams[:MOST_CANDIDATES]:
        is_this = stream.key == (entry.number, entry.url)
        yield ExplainedStream(stream.listed_name or stream.name, stream.source.tag, is_this)


def _guide(channel: Channel, secrets: Finder) -> str:
    ids = (stream.attributes.get("tvg-id", "") for stream in channel.streams)
    return next((text for text in ids if text and not secrets.tells_in_words(text)), "")


def _number(catalog: Catalog, channel: Channel) -> int:
    position, numbers = catalog.position(channel.slug), catalog.numbers
    return numbers[position] if numbers is not None and position is not None else 0


def _said_of_channel(rules: Rules, told: Trace) -> Sequence[TraceStep]:
    """What the file says of the channel, as the last step."""
    for name, rule in rules.channels.items():
        if normalised(name) in (told.key, told.verdict.key) and not told.verdict.is_dropped:
            said = [
                key
                for key in ("number", "logo", "guide", "order")
                if getattr(rule, key) is not None
            ]
            words = ", ".join(key for key in said if key != "order" or rule.order)
            return (TraceStep("channel", rule.line, f"{name}: {words}"),)
    return ()
