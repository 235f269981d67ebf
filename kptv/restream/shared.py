"""What all hubs and films share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kptv.channels.health import Health, Policy
from kptv.channels.model import Source
from kptv.channels.rhythm import Rhythms
from kptv.config import Config
from kptv.metrics.counters import Metrics
from kptv.restream.buffer import Budget
from kptv.restream.journal import Journal
from kptv.restream.slots import Slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The shared parts; ``parts.py`` builds each of them."""

    config: Config
    policy: Policy
    metrics: Metrics
    slots: Slots
    health: Health
    rhythms: Rhythms  # shared with the opener of the streams, which waits as long as they say
    budget: Budget
    journal: Journal


def policy_of(
    config: Config, timeout_of: Callable[[Source], float | None] = lambda source: None
) -> Policy:
    """The settings that failover goes by; ``timeout_of`` a source, if it has its own."""
    return Policy(
        max_retries=config.max_retries,
        retry_delay=config.retry_delay,
        max_failures_before_block=config.max_failures_before_block,
        stream_timeout=config.stream_timeout,
        give_up=config.stream_give_up,
        timeout_of=timeout_of,
    )
