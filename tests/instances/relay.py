"""Between an instance and the server; may be cut, be slow, or hold all that is sent."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent
from gevent import socket
from gevent.event import Event
from gevent.server import StreamServer


class Relay:
    """Listens at ``address`` (an IP address, or a path of a Unix socket), leads to ``server``."""

    def __init__(self, address: str | Path, server: Path) -> None:
        self._server_path = str(server)
        self._open: set[Any] = set()
        self._flows = Event()
        self._flows.set()
        self._is_cut = False
        self._delay = 0.0
        is_local = isinstance(address, Path)
        listener = socket.socket(socket.AF_UNIX if is_local else socket.AF_INET)
        listener.bind(str(address) if is_local else (address, 0))
        listener.listen(16)
        port = 0 if is_local else listener.getsockname()[1]
        self.url = f"unix://{address}" if is_local else f"redis://{address}:{port}"
        self._server = StreamServer(listener, self._serve)
        self._server.start()

    def close(self) -> None:
        self._server.stop()
        self.reset()

    def reset(self) -> None:
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def cut(self, seconds: float) -> None:
        self._is_cut = True
        self.reset()
        gevent.sleep(seconds)
        self._is_cut = False

    def hold(self, seconds: float) -> None:
        """Half open: what was sent arrives late, or never."""
        self._flows.clear()
        gevent.sleep(seconds)
        self._flows.set()

    def slow(self, seconds: float, delay: float) -> None:
        """What is sent comes so many seconds later, each way."""
        self._delay = delay
        gevent.sleep(seconds)
        self._delay = 0.0

    def _serve(self, here: Any, address: object) -> None:
        there = socket.socket(socket.AF_UNIX)
        try:
            if self._is_cut:
                return
            there.connect(self._server_path)
            self._open |= {here, there}
            back = gevent.spawn(self._pump, there, here)
            self._pump(here, there)
            back.join()
        except OSError:
            pass
        finally:
            self._open -= {here, there}
            here.close()
            there.close()

    def _pump(self, one: Any, other: Any) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if self._delay:
                    gevent.sleep(self._delay)
                self._flows.wait()
                other.sendall(data)
        for each in one, other:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
