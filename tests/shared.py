"""What is shared by hubs and by openers of streams, for tests: built as parts.py does."""

from __future__ import annotations

from typing import Any

from kptv.channels.local_health import LocalHealth
from kptv.channels.rhythm import Rhythms
from kptv.config import LOOPBACK, Config
from kptv.metrics.counters import Metrics
from kptv.metrics.hls_figures import HlsFigures
from kptv.metrics.user_figures import UserFigures
from kptv.restream.buffer import Budget
from kptv.restream.hubs import Hubs
from kptv.restream.journal import Journal
from kptv.restream.shared import Shared, policy_of
from kptv.restream.slots import LocalSlots
from kptv.restream.window import Common
from kptv.restream.windows import Windows
from kptv.upstream.client import HttpClient
from kptv.upstream.open import Opener
from kptv.web.clients import Clients
from kptv.web.players.hls import Hls
from kptv.web.players.open_streams import Access, OpenStreams
from kptv.web.players.player import Player


def shared(config: Config, **instead: Any) -> Shared:
    """The parts for ``config``, with those in ``instead`` that are named there."""
    policy = policy_of(config)
    parts: dict[str, Any] = {
        "config": config,
        "policy": policy,
        "metrics": Metrics(),
        "slots": LocalSlots(config.sources),
        "health": LocalHealth(policy),
        "rhythms": Rhythms(config.stall_timeout),
        "budget": Budget(config.max_buffer_size),
        "journal": Journal(),
    }
    return Shared(**parts | instead)


def opener_of(config: Config, client: HttpClient) -> Opener:
    """An opener that knows no stream's pauses yet."""
    return Opener(config, client, Rhythms(config.stall_timeout))


def player_of(hubs: Hubs, access: Access = Access(), max_clients: int = 5000) -> Player:  # noqa: B008
    """A player of what ``hubs`` play; ``access``: everybody may have everything."""
    streams = OpenStreams(hubs.let_go, access, UserFigures())
    return Player(hubs, Clients(LOOPBACK), max_clients, access, streams)


def hls_of(hubs: Hubs, player: Player) -> Hls:
    """Who gives playlists of what ``hubs`` play."""
    return Hls(Windows(Common(2.0, hubs.budget, hubs.start)), player, HlsFigures())
