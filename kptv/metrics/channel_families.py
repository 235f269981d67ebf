"""The metrics of channels: of each while it plays, and over all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kptv.metrics.counters import ChannelCounters
from kptv.metrics.families import (
    BARE_COUNTER,
    COUNTER,
    GAUGE,
    HISTOGRAM,
    Family,
    Values,
    by,
    one,
)


def _of_all_channels(value: Callable[[ChannelCounters], int]) -> Values:
    """The sum, also over the channels that are gone."""
    return one(lambda scrape: scrape.metrics.total(value))


def _of_channel(value: Callable[[ChannelCounters], float]) -> Values:
    return Values(
        ("channel",), lambda scrape: [((c.name,), value(c)) for c in scrape.metrics.channels()]
    )


def _of_channel_by(
    label: str, values: Callable[[ChannelCounters], Iterable[tuple[str, float]]]
) -> Values:
    return Values(
        ("channel", label),
        lambda scrape: [
            ((channel.name, key), value)
            for channel in scrape.metrics.channels()
            for key, value in values(channel)
        ],
    )


def _of_channel_and_source(number: Callable[[ChannelCounters], int | None]) -> Values:
    """1 for each channel and the source that plays a part in it, if there is one."""
    return Values(
        ("channel", "source"),
        lambda scrape: [
            ((channel.name, scrape.source(found)), 1)
            for channel in scrape.metrics.channels()
            if (found := number(channel)) is not None
        ],
    )


CHANNEL_FAMILIES: tuple[Family, ...] = (
    # --- of a channel ---
    Family(
        GAUGE,
        "active_connections",
        "Open connections to providers.",
        _of_channel(lambda c: c.upstreams),
    ),
    Family(GAUGE, "clients_connected", "Viewers connected.", _of_channel(lambda c: c.viewers)),
    Family(
        GAUGE,
        "channel_hls_viewers",
        "Of these, those who watch by HLS.",
        _of_channel(lambda c: c.followers),
    ),
    Family(
        GAUGE,
        "channel_bit_rate",
        "Bits per second of the upstream.",
        _of_channel(lambda c: c.bit_rate),
    ),
    Family(
        GAUGE,
        "channel_buffer_bytes",
        "Bytes in the channel's buffer.",
        _of_channel(lambda c: c.buffer_bytes),
    ),
    Family(
        BARE_COUNTER,
        "bytes_transferred",
        "Bytes sent to viewers (a counter).",
        _of_channel(lambda c: c.bytes_sent),
    ),
    Family(
        BARE_COUNTER,
        "stream_errors",
        "Streams that failed, by what went wrong (a counter).",
        _of_channel_by("kind", lambda c: c.errors.items()),
    ),
    Family(
        GAUGE,
        "channel_source",
        "1 for the source that plays or is being opened.",
        _of_channel_and_source(lambda c: c.source),
    ),
    Family(
        GAUGE,
        "channel_standby",
        "1 for the source that stands by, to go on with if the other fails.",
        _of_channel_and_source(lambda c: c.standby),
    ),
    Family(
        COUNTER,
        "channel_failovers",
        "Moves to another stream, by reason.",
        _of_channel_by("reason", lambda c: c.failovers.items()),
    ),
    Family(
        COUNTER,
        "channel_received_bytes",
        "Bytes received from providers.",
        _of_channel(lambda c: c.bytes_received),
    ),
    Family(
        COUNTER,
        "channel_viewer_skips",
        "Times that a slow viewer was moved on.",
        _of_channel(lambda c: c.skips),
    ),
    Family(
        COUNTER,
        "channel_viewers_dropped",
        "Viewers let go as too slow.",
        _of_channel(lambda c: c.dropped),
    ),
    Family(
        COUNTER,
        "channel_continuity_errors",
        "Breaks in the upstream.",
        _of_channel(lambda c: c.continuity_errors),
    ),
    # --- over all channels ---
    Family(
        COUNTER,
        "sent_bytes",
        "Bytes sent to all viewers.",
        _of_all_channels(lambda c: c.bytes_sent),
    ),
    Family(
        COUNTER,
        "received_bytes",
        "Bytes received from all providers.",
        _of_all_channels(lambda c: c.bytes_received),
    ),
    Family(
        COUNTER,
        "viewer_skips",
        "Times that a slow viewer was moved on.",
        _of_all_channels(lambda c: c.skips),
    ),
    Family(
        COUNTER,
        "continuity_errors",
        "Breaks in what providers sent.",
        _of_all_channels(lambda c: c.continuity_errors),
    ),
    Family(
        COUNTER,
        "failovers",
        "Moves to another stream, by reason.",
        by("reason", lambda metrics: metrics.totals.failovers),
    ),
    Family(
        COUNTER,
        "retries",
        "Resumptions of the same stream, by reason.",
        by("reason", lambda metrics: metrics.totals.retries),
    ),
    Family(
        HISTOGRAM,
        "silence_seconds",
        "Time that viewers were without media in mid-stream.",
        by("after", lambda metrics: metrics.totals.silence),
    ),
    Family(
        HISTOGRAM,
        "first_byte_seconds",
        "Time that viewers waited for media.",
        by("start", lambda metrics: metrics.first_bytes),
    ),
)
