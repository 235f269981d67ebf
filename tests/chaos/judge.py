"""What must hold whatever happens, checked over all that was seen."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from tests.chaos.faults import Fault, is_good
from tests.chaos.people import Viewing
from tests.chaos.world import LIMITS, World
from tests.formats.ts_checker import check
from tests.functional.harness import Proxy

OWED = 10.0  # seconds in which media is owed
_STEP = 0.5


class Judge:
    """Times are time.monotonic()."""

    def __init__(self, world: World, faults: list[Fault], begun: float) -> None:
        self._world = world
        self._faults = faults
        self._begun = begun
        self.owed = 0  # moments at which some viewer was owed media: how much was judged
        self._full = [list(self._full_times(number)) for number in range(len(LIMITS))]
        self._plays = [dict.fromkeys(self._playing_times(number)) for number in range(len(LIMITS))]

    def verdicts(self, viewings: list[Viewing], proxy: Proxy) -> Iterator[str]:
        """What did not hold."""
        for provider, limit in zip(self._world.providers, LIMITS, strict=True):
            if provider.turned_away or provider.max_connections_seen > limit:
                yield f"{provider.name}: {provider.max_connections_seen} of {limit} connections"
        for error in self._world.trouble:
            yield f"the world itself: {error!r}"
        for viewing in viewings:
            yield from self._judge(viewing)
        if "Traceback" in proxy.log:
            yield "a traceback in the log"

    def _judge(self, viewing: Viewing) -> Iterator[str]:
        who = f"person {viewing.person}, channel {viewing.channel}"
        if viewing.status not in (0, 200, 503):
            yield f"{who}: status {viewing.status}"
        if viewing.status != 200:
            return
        whole = viewing.body[: len(viewing.body) // 188 * 188]
        # The viewer hung up anywhere, so a last PES packet may be cut.
        errors = [e for e in check(whole, clock_steps_ok=True).errors if "ends inside" not in e]
        if errors:
            yield f"{who} from {viewing.asked_at - self._begun:.1f} s: {errors[:3]}"
        yield from self._silences(viewing, who)

    def _silences(self, viewing: Viewing, who: str) -> Iterator[str]:
        times = [viewing.asked_at, *viewing.media_times(), viewing.left_at]
        moments = int((viewing.left_at - viewing.asked_at - OWED) / _STEP)
        for moment in range(moments):
            since = viewing.asked_at + moment * _STEP
            self.owed += self._is_owed(viewing, since, since + OWED)
        for before, after in pairwise(times):
            at = before + OWED
            while at < after:
                if self._is_owed(viewing, at - OWED, at):
                    yield (
                        f"{who}: no media for {after - before:.1f} s from"
                        f" {before - self._begun:.1f} s on, though it was owed"
                    )
                    break
                at += _STEP

    def _is_owed(self, viewing: Viewing, since: float, until: float) -> bool:
        if any(begun < until and since < ended + 1 for begun, ended in viewing.not_reading):
            return False
        return any(
            (number, viewing.channel) in self._world.offers
            and self._has_room(number, viewing.channel, since, until)
            and is_good(
                self._faults, number, viewing.channel, since - self._begun, until - self._begun
            )
            for number in range(len(LIMITS))
        )

    def _has_room(self, number: int, channel: int, since: float, until: float) -> bool:
        """Whether the provider had a connection free all the while, or one to this channel."""
        if any(
            begun <= since and until <= ended and of == channel
            for of, begun, ended in self._plays[number]
        ):
            return True
        return not any(begun < until and since < ended for begun, ended in self._full[number])

    def _playing_times(self, number: int) -> Iterator[tuple[int, float, float]]:
        """Channel, begin and end of each connection."""
        offers = self._world.offers.items()
        channel_of = {o.path: channel for (n, channel), o in offers if n == number and o}
        begun: dict[str, float] = {}
        for at, what, _ in self._world.providers[number].history:
            sign, _, path = what.partition(" ")
            if sign == "+":
                begun[path] = at
            elif path in begun and path in channel_of:
                yield channel_of[path], begun.pop(path), at
        for path, at in begun.items():
            if path in channel_of:
                yield channel_of[path], at, float("inf")

    def _full_times(self, number: int) -> Iterator[tuple[float, float]]:
        provider, begun = self._world.providers[number], None
        for at, _, count in provider.history:
            if count >= LIMITS[number] and begun is None:
                begun = at
            elif count < LIMITS[number] and begun is not None:
                yield begun, at + 0.5  # a slot settles, then somebody else may be first
                begun = None
        if begun is not None:
            yield begun, float("inf")
