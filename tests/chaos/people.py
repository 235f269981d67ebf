"""Viewers as they are: they come, zap, stop reading, vanish; what each got is kept."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from dataclasses import dataclass, field

from tests.functional.harness import Proxy, Viewer

PACKET = 188


@dataclass(slots=True)
class Viewing:
    """One channel watched once; times are time.monotonic()."""

    person: int
    channel: int
    asked_at: float
    left_at: float
    status: int
    body: bytes
    arrivals: list[tuple[float, int]]
    not_reading: list[tuple[float, float]] = field(default_factory=list)
    ended: str = ""

    def media_times(self) -> list[float]:
        """When media came: neither tables nor null packets, which only keep a connection up."""
        times, end, place = [], 0, 0
        for at, size in self.arrivals:
            end += size
            while place + PACKET <= end:
                pid = (self.body[place + 1] & 0x1F) << 8 | self.body[place + 2]
                if 0x20 <= pid < 0x1000:
                    times.append(at)
                    place = end // PACKET * PACKET  # one a piece will do
                else:
                    place += PACKET
        return times


class Person(threading.Thread):
    """One of the crowd: watches one channel after another until ``over``."""

    def __init__(self, number: int, seed: int, proxy: Proxy, names: list[str]) -> None:
        super().__init__(name=f"person-{number}", daemon=True)
        self.number = number
        self.viewings: list[Viewing] = []
        self.over = threading.Event()
        self._dice = random.Random(f"person {number} {seed}")
        self._proxy = proxy
        self._names = names

    def run(self) -> None:
        self._pause(self._dice.uniform(0, 3))
        while not self.over.is_set():
            with contextlib.suppress(OSError):  # a full backlog: come again
                self.viewings.append(self._watch(self._choose()))
            self._pause(self._dice.choice((0, 0, 0.1, 1.0)))

    def _choose(self) -> int:
        """Some channels are loved by many."""
        return min(int(self._dice.expovariate(1 / 2)), len(self._names) - 1)

    def _watch(self, channel: int) -> Viewing:
        dice = self._dice
        small = dice.random() < 0.2
        viewer = Viewer(
            self._proxy.port,
            f"/stream/{self._names[channel]}",
            receive_buffer=4096 if small else 0,
            version=dice.choice(("1.0", "1.1")),
        ).start()
        not_reading = []
        end = time.monotonic() + dice.choice((0.2, 1.0, 4.0, 15.0)) * dice.uniform(0.5, 1.5)
        while not viewer.ended and time.monotonic() < end and not self.over.is_set():
            self._pause(min(0.5, max(end - time.monotonic(), 0)))
            if dice.random() < 0.03:
                begun = time.monotonic()
                viewer.pause()
                self._pause(dice.uniform(0.5, 4))
                viewer.resume()
                not_reading.append((begun, time.monotonic()))
        left_at = time.monotonic()
        self._leave(viewer)
        return Viewing(
            self.number,
            channel,
            viewer.asked_at,
            min(left_at, viewer.ended_at or left_at),
            viewer.status,
            bytes(viewer.body),
            list(viewer.arrivals),
            not_reading,
            viewer.ended,
        )

    def _leave(self, viewer: Viewer) -> None:
        how = self._dice.choice(("close", "close", "reset", "half", "deaf"))
        if how == "reset":
            viewer.vanish()
            return
        if how == "half":
            with contextlib.suppress(OSError):
                viewer._socket.shutdown(socket.SHUT_WR)
            self._pause(0.3)
        elif how == "deaf":
            viewer.pause()
            self._pause(1.0)
        viewer.leave()

    def _pause(self, seconds: float) -> None:
        self.over.wait(seconds)
