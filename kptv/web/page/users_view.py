"""Users, what they watch, and new links, as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Protocol

from kptv.channels.model import Channel
from kptv.channels.users.links import Links
from kptv.channels.users.model import User, UserSecret
from kptv.restream.lease import Lease
from kptv.web.caller import Caller
from kptv.web.clients import app_of
from kptv.web.page.hub_view import kind_of
from kptv.web.page.public import Json, Public, unix


class OpenStream(Protocol):
    """Media that somebody has open."""

    caller: Caller
    channel: Channel
    lease: Lease


class OpenStreams(Protocol):
    """All of it."""

    def __iter__(self) -> Iterator[OpenStream]: ...
    def end(self, number: int) -> bool:
        """End the one whose lease has this number; False: there is none."""
        ...


def user_view(user: User, streams: list[Json], now: float) -> Json:
    """A user, with what is open; ``now``: Unix time."""
    return {
        "name": user.name,
        "created": user.created,
        "enabled": user.enabled,
        "expires": user.expires,
        "standing": user.standing(now).value,
        "max_streams": user.max_streams,
        "refuses": user.refuses,
        "groups": None if user.groups is None else list(user.groups),
        "profile": user.profile,
        "note": user.note,
        "secrets": [_secret_view(secret) for secret in user.secrets],
        "streams": streams,
    }


def stream_view(stream: OpenStream, public: Public, now: float) -> Json:
    """What somebody watches; ``now``: monotonic."""
    lease = stream.lease
    return {
        "viewer": public.ids.viewer(lease.number),
        "kind": kind_of(lease),
        "channel": stream.channel.slug,
        "name": public.text(stream.channel.name),
        "address": lease.client.address,
        "app": app_of(lease.client.agent),
        "since": unix(lease.since, now),
    }


def links_view(links: Links) -> Json:
    """What is typed into applications."""
    return asdict(links)


def _secret_view(secret: UserSecret) -> Json:
    return {
        "number": secret.number,
        "kind": secret.kind.value,
        "label": secret.label,
        "created": secret.created,
        "revoked": secret.revoked,
    }
