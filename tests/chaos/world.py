"""Providers, channels, and the hand that breaks them as the plan says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tests.chaos.faults import Fault
from tests.chaos.hls import LiveHls
from tests.provider import Bad, Provider, Stream

LIMITS = (1, 2, 3)
CHANNELS = 20
BITRATE = 250_000  # bits a second: forty viewers' bytes are all checked
_BAD = {
    "end": Bad.END,
    "reset": Bad.RESET,
    "silence": Bad.SILENCE,
    "garbage": Bad.GARBAGE,
    "html": Bad.HTML,
    "short": Bad.SHORT_BODY,
    "empty": Bad.EMPTY,
    "drip": Bad.DRIP_HEADERS,
    "loop": Bad.REDIRECT_LOOP,
}
_IN_MID_STREAM = ("end", "reset", "silence", "garbage", "html", "short")


class World:
    """Three accounts that have most of the channels each: TS, HLS, HLS with counters anew."""

    def __init__(self) -> None:
        self.names = [f"channel-{number}" for number in range(CHANNELS)]
        self.providers = [
            Provider(f"p{limit}", limit=limit, bitrate=BITRATE).start() for limit in LIMITS
        ]
        self.offers: dict[tuple[int, int], Stream | LiveHls] = {}
        for number, provider in enumerate(self.providers):
            for channel, name in enumerate(self.names):
                if (channel + number) % 5:  # each lacks some
                    self.offers[number, channel] = self._offer(provider, number, channel, name)
        self._begun = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._break, daemon=True)
        self._faults: list[Fault] = []
        self.trouble: list[BaseException] = []

    def _offer(self, provider: Provider, number: int, channel: int, name: str) -> Stream | LiveHls:
        if (channel + number) % 3 == 0:
            path = f"/live/{provider.user}/{provider.password}/{channel}.m3u8"
            hls = LiveHls(provider, path, name, anew=channel % 2 == 0)
            provider.add(hls)
            provider.list.entries += (f"#EXTINF:-1,{name}", hls.url)
            return hls
        return provider.add_channel(name)

    def sources(self) -> list[tuple[Provider, int]]:
        return list(zip(self.providers, LIMITS, strict=True))

    def start(self, faults: list[Fault]) -> float:
        """Begin to break things; the time that the faults count from."""
        self._faults = faults
        self._begun = time.monotonic()
        self._thread.start()
        return self._begun

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)

    def close(self) -> None:
        self.stop()
        for provider in self.providers:
            provider.stop()

    def _break(self) -> None:
        acts: list[tuple[float, int, Callable[[], object]]] = []
        for order, fault in enumerate(self._faults):
            acts.append((fault.at, order, lambda fault=fault: self._begin(fault)))
            acts.append((fault.at + fault.seconds, order, lambda fault=fault: self._mend(fault)))
        for at, _, act in sorted(acts, key=lambda item: item[:2]):
            if self._stop.wait(max(self._begun + at - time.monotonic(), 0)):
                break
            try:
                act()
            except Exception as error:  # noqa: BLE001  # told by the judge
                self.trouble.append(error)
        for fault in self._faults:
            self._mend(fault)

    def _streams(self, fault: Fault) -> list[Stream | LiveHls]:
        wanted = range(CHANNELS) if fault.channel is None else (fault.channel,)
        return [
            self.offers[fault.provider, channel]
            for channel in wanted
            if (fault.provider, channel) in self.offers
        ]

    def _begin(self, fault: Fault) -> None:
        provider, kind = self.providers[fault.provider], fault.kind
        if kind == "die":
            provider.kill()
        elif kind.startswith("list"):
            self._spoil_list(provider, kind)
        for stream in self._streams(fault) if not kind.startswith("list") else []:
            self._spoil(stream, kind)

    def _spoil(self, stream: Stream | LiveHls, kind: str) -> None:
        if kind == "tokens" and isinstance(stream, Stream):
            stream.redirect_to_token()
        elif kind == "freeze" and isinstance(stream, LiveHls):
            stream.freeze(True)
        elif kind == "restart" and isinstance(stream, LiveHls):
            stream.provider.in_loop(stream.restart)
        elif kind.isdecimal():
            stream.fail_with(int(kind))
            if isinstance(stream, Stream):
                stream.break_now(Bad.RESET)
        elif kind in _BAD:
            stream.fail_with(_BAD[kind])
            if isinstance(stream, Stream) and kind in _IN_MID_STREAM:
                stream.break_now(_BAD[kind])

    def _spoil_list(self, provider: Provider, kind: str) -> None:
        channels = provider.list
        if kind == "list 500":
            channels.fail_with(500)
        elif kind == "list html":
            channels.fail_with(Bad.HTML)
        elif kind == "list cut":
            channels.fail_with(Bad.SHORT_BODY)
        elif kind == "list empty":
            channels.set(b"#EXTM3U\n")
        else:
            channels.set("\n".join((channels.head, *channels.entries[:-8], "")))

    def _mend(self, fault: Fault) -> None:
        provider, kind = self.providers[fault.provider], fault.kind
        if kind == "die":
            provider.revive()
        elif kind.startswith("list"):
            provider.list.recover()
            provider.list.body = None
            provider.list.modified = time.time()
        for stream in self._streams(fault):
            if kind == "tokens":
                provider.in_loop(lambda stream=stream: provider.tokened.discard(stream.path))
            elif kind == "freeze" and isinstance(stream, LiveHls):
                stream.freeze(False)
            elif kind not in ("die", "restart") and not kind.startswith("list"):
                stream.recover()
