"""A hub as JSON: its media, its candidates, its viewers."""

from __future__ import annotations

from collections.abc import Callable
from heapq import nlargest
from itertools import chain

from kptv.channels.failover import Candidate
from kptv.channels.model import Stream
from kptv.formats.hls.codec_names import remarks_on
from kptv.restream.hub import Hub
from kptv.restream.lease import Lease, LeaseKind
from kptv.restream.output import Output
from kptv.web.clients import app_of
from kptv.web.page.public import Json, Public, unix

MOST_WATCHING = 100  # viewers shown per channel: those that skipped most, then the oldest

KINDS = STREAM, HLS = "stream", "hls"  # one answer without an end, or segments one by one

Patience = Callable[[Stream, float], float]  # seconds of silence that are a failure, at a time


def hub_view(hub: Hub, public: Public, patience: Patience, now: float) -> Json:
    """All that is shown of a hub."""
    counters = hub.counters
    viewers = chain(filter(_watches, hub.leases), hub.audience.followers)
    watching = nlargest(MOST_WATCHING, viewers, key=_trouble_of)
    return {
        "hub": hub.number,
        "id": hub.channel.slug,
        **public.channel(hub.channel),
        "state": str(hub.state),
        "since": hub.begun_at,
        "source": hub.source_number,
        "standby": _standby(hub, public, now),
        "media": media_of(hub.output),
        "bit_rate": round(hub.gauges.meter.bit_rate()),
        "rates": hub.gauges.meter.history(),
        "buffer_bytes": hub.buffer.size,
        "received_bytes": counters.bytes_received,
        "sent_bytes": counters.bytes_sent,
        "skips": counters.skips,
        "failovers": sum(counters.failovers.values()),
        "viewers": hub.audience.viewers,
        "hls_viewers": len(hub.audience.followers),
        "watching": [_viewer(hub, lease, public, now) for lease in sorted(watching, key=_joined)],
        "candidates": [_candidate(each, public, patience, now) for each in hub.candidates(now)],
        "history": [public.event(event) for event in hub.chronicle.history],
    }


def figures_of(hub: Hub) -> Json:
    """The figures of a hub that may change every second."""
    return {
        "hub": hub.number,
        "viewers": hub.audience.viewers,
        "hls_viewers": len(hub.audience.followers),
        "bit_rate": round(hub.gauges.meter.bit_rate()),
        "buffer_bytes": hub.buffer.size,
        "sent_bytes": hub.counters.bytes_sent,
        "skips": hub.counters.skips,
    }


def signature_of(hub: Hub) -> tuple[object, ...]:
    """A value that changes with the hub, but not with its figures."""
    return (
        hub.number,
        hub.state,
        hub.source_number,
        hub.standby and (hub.standby.stream.key, hub.standby.ready),
        hub.audience.viewers,
        len(hub.chronicle.history),
    )


def media_of(output: Output) -> Json:
    """Facts about the source's transport stream; while viewers get the slate, only that they do."""
    if output.on_slate:
        return {"slate": True}
    if not output.sending:
        return {}
    stats = output.stats
    facts: Json = {
        "codecs": list(stats.codecs),
        "gop_seconds": round(stats.gop_seconds, 2),
        "pcr_jitter": round(stats.pcr_jitter, 3),
        "continuity_errors": stats.continuity_errors,
        "damaged_packets": stats.damaged_packets,
        "scrambled_packets": stats.scrambled_packets,
        "bytes_dropped": stats.bytes_dropped,
        "sync_losses": stats.sync_losses,
        "remarks": list(remarks_on(stats.codecs)),
    }
    if stats.size:
        facts |= {"width": stats.size[0], "height": stats.size[1]}
    return facts


def _standby(hub: Hub, public: Public, now: float) -> Json | None:
    standby = hub.standby
    if standby is None:
        return None
    return {
        "id": public.ids.stream(standby.stream.key),
        "source": standby.stream.source.number,
        "ready": standby.ready,
        "since": unix(standby.since, now),
    }


def _candidate(candidate: Candidate, public: Public, patience: Patience, now: float) -> Json:
    error = candidate.error
    return {
        "id": public.ids.stream(candidate.stream.key),
        "source": candidate.stream.source.number,
        "standing": str(candidate.standing),
        "until": unix(candidate.until, now),
        "failures": candidate.failures,
        "patience": round(patience(candidate.stream, now), 1),
        "reason": str(error.reason) if error else "",
        "detail": public.text(error.detail) if error else "",
        "failed_at": unix(candidate.failed_at, now),
    }


def _viewer(hub: Hub, lease: Lease, public: Public, now: float) -> Json:
    return {
        "viewer": public.ids.viewer(lease.number),
        "kind": kind_of(lease),
        "address": lease.client.address,
        "app": app_of(lease.client.agent),
        "user": lease.client.user,
        "joined": unix(lease.since, now),
        "behind": None if _follows(lease) else round(hub.gauges.behind(lease, now), 1),
        "received_bytes": lease.received,
        "skips": lease.skips,
    }


def kind_of(lease: Lease) -> str:
    """How somebody watches: one of KINDS."""
    return HLS if _follows(lease) else STREAM


def _follows(lease: Lease) -> bool:
    return lease.kind is LeaseKind.FOLLOWER


def _watches(lease: Lease) -> bool:
    return lease.is_viewer


def _trouble_of(lease: Lease) -> tuple[int, float]:
    return lease.skips, -lease.since


def _joined(lease: Lease) -> float:
    return lease.since
