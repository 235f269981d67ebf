"""What all routes of Xtream's protocol answer from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Response

from kptv.channels.model import Channel
from kptv.config import Config
from kptv.guide.current import CurrentGuide
from kptv.web.lines import no_list_yet, not_ready
from kptv.web.players.player import Player
from kptv.web.players.xtream_lists import XtreamLists


@dataclass(frozen=True, slots=True)
class XtreamParts:
    """The parts of the proxy that are asked."""

    config: Config
    lists: XtreamLists
    guide: CurrentGuide
    player: Player
    playing: Callable[[], list[Channel]]
    open_streams: Callable[[int], int]  # by the id of a user; 0: of all others
    playlist: Callable[[Channel | None, str], Response]
    """Answers with the HLS playlist of a channel, given what leads from its address to our root."""


def no_list(parts: XtreamParts) -> Response:
    """The answer if there is no list yet."""
    return not_ready("The list") if parts.lists.is_ready else no_list_yet()
