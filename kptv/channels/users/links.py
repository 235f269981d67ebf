"""What a user types into applications, made of a secret that was just shown."""

from __future__ import annotations

from dataclasses import dataclass, field

from kptv.channels.users.names import looks_made


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses for one secret; all but the server's tell it."""

    list_url: str = field(repr=False)
    guide_url: str = field(repr=False)
    server: str  # Xtream's, with the name and the secret
    name: str
    secret: str = field(repr=False)
    tuner_url: str = field(repr=False)  # HDHomeRun


def prefix_of(name: str, secret: str) -> str:
    """What stands before the paths of a user's links; a typed secret is good with its name only."""
    return f"/u/{secret}" if looks_made(secret) else f"/u/{name}:{secret}"


def links_of(base_url: str, name: str, secret: str) -> Links:
    """All of them, under the address that clients know us by."""
    base = base_url + prefix_of(name, secret)
    return Links(f"{base}/playlist.m3u8", f"{base}/epg.xml.gz", base_url, name, secret, base)
