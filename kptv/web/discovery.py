"""Port 65001, where applications look for HDHomeRuns: the proxy answers that it is one.

By UDP it tells where it is found by HTTP, by TCP the few variables that SiliconDust's own program
asks for. Only private addresses are answered, and not often: an answer is longer than its request,
and anybody can write another's address on a packet. It knows no secret, so it tells none.
"""

from __future__ import annotations

import logging
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from time import monotonic

import gevent
from gevent import socket as gevent_socket
from gevent.greenlet import Greenlet
from gevent.server import StreamServer

from kptv.channels.reach import is_private, parse_address
from kptv.formats.hdhomerun import (
    PORT,
    Device,
    discover_reply,
    read_discover_request,
    read_variable_request,
)
from kptv.formats.hdhomerun_control import answer
from kptv.formats.hdhomerun_frames import LONGEST_FRAME, FrameReader, read_frame
from kptv.formats.tunnel import authority
from kptv.vitals.heartbeat import Heartbeat
from kptv.web.sockets import address_towards

log = logging.getLogger(__name__)

MOST_ANSWERS = 20  # to requests by UDP, in any second
MOST_CONNECTIONS = 16
_PAUSE = 0.01  # seconds after each packet, and each request of a connection: others go on
_IDLE = 10.0  # seconds of silence; programs connect again
_LONGEST = 300.0  # seconds that a connection may last


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What is told to those who look for a device."""

    device_id: Callable[[], int]  # may wait for the disk
    tuners: int
    base_url: str  # empty: the address by which whoever asks reaches this machine
    host: str  # where the proxy listens
    port: int

    @property
    def is_for_this_machine_only(self) -> bool:
        """Nobody else reaches what would be told."""
        return not self.base_url and ip_address(self.host).is_loopback

    def url_for(self, sender: str) -> str:
        """The address of the proxy for somebody at this one. Raises OSError if there is no way."""
        if self.base_url:
            return self.base_url
        everywhere = ip_address(self.host).is_unspecified
        host = address_towards(sender) if everywhere else self.host
        return f"http://{authority(host, self.port)}"


class PerSecond:
    """No more than so many of something in any second."""

    def __init__(self, most: int) -> None:
        self._given = deque[float](maxlen=most)

    def take(self, now: float) -> bool:
        """Whether there may be one more; it is counted."""
        given = self._given
        if len(given) == given.maxlen and now - given[0] < 1.0:
            return False
        given.append(now)
        return True


def may_be_answered(sender: str) -> bool:
    """Whether an address is of this network, and of one machine in it."""
    address = parse_address(sender)
    if address is None or address.is_unspecified or address.is_multicast or address.is_reserved:
        return False
    return is_private(address)


class Discovery:
    """Answers those who look for a device, until ``close``; without the port it does nothing."""

    def __init__(self, told: Announced, port: int = PORT) -> None:
        self._told = told
        self._allowance = PerSecond(MOST_ANSWERS)
        self._heartbeat = Heartbeat(monotonic())
        self._greenlet: Greenlet | None = None
        self._server: StreamServer | None = None
        self._packets = self._bound(socket.SOCK_DGRAM, port)
        if self._packets is not None:
            self._greenlet = gevent.spawn(self._answer_packets, self._packets)
            self._listen(self.port)

    def __repr__(self) -> str:
        return f"<Discovery port={self.port} tuners={self._told.tuners}>"

    @property
    def alive(self) -> bool:
        """Whether it runs, if it has the port, and is not stuck."""
        if self._greenlet is None:
            return True
        return not self._greenlet.ready() and self._heartbeat.alive(monotonic())

    @property
    def port(self) -> int:
        """The one on which it answers; 0: it does not."""
        if self._packets is None or self._packets.closed:
            return 0
        port: int = self._packets.getsockname()[1]
        return port

    def close(self) -> None:
        """Answer nobody any more, and give the port back; may come twice."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)
            self._greenlet = None
        if self._packets is not None:
            self._packets.close()
        if self._server is not None:
            self._server.stop(timeout=0)
            self._server = None

    def _listen(self, port: int) -> None:
        listener = self._bound(socket.SOCK_STREAM, port)
        if listener is not None:
            listener.listen(MOST_CONNECTIONS)
            self._server = StreamServer(listener, self._serve, spawn=MOST_CONNECTIONS)
            self._server.max_accept = MOST_CONNECTIONS  # until all else goes on for a moment
            self._server.start()

    def _bound(self, kind: socket.SocketKind, port: int) -> gevent_socket.socket | None:
        """A socket with this port; None, and a line in the log, if there cannot be one.

        Broadcasts reach only a socket that is bound to no address; IPv6 has none.
        """
        opened = gevent_socket.socket(socket.AF_INET, kind)
        try:
            if kind is socket.SOCK_STREAM:  # or connections that are over would hold the port
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind(("127.0.0.1" if self._told.is_for_this_machine_only else "0.0.0.0", port))
        except OSError as error:
            opened.close()
            log.warning(
                "HDHOMERUN=on: %s port %d cannot be used (%s). If another program of this machine"
                " plays an HDHomeRun, stop it; else tell applications the proxy's address",
                "UDP" if kind is socket.SOCK_DGRAM else "TCP",
                port,
                error.strerror,
            )
            return None
        opened.settimeout(_IDLE)
        return opened

    # --- UDP ---

    def _answer_packets(self, packets: gevent_socket.socket) -> None:
        while True:
            self._heartbeat.beat(monotonic())
            try:
                data, sender = packets.recvfrom(LONGEST_FRAME + 1)
            except TimeoutError:
                continue
            except OSError as error:
                log.warning("HDHOMERUN=on: nothing is heard for now: %s", error.strerror)
            else:
                self._answer_packet(packets, data, sender)
            gevent.sleep(_PAUSE)

    def _answer_packet(
        self, packets: gevent_socket.socket, data: bytes, sender: tuple[str, int]
    ) -> None:
        try:
            reply = self.reply_to(data, sender[0], monotonic())
            if reply is not None:
                packets.sendto(reply, sender)
        except OSError as error:  # there is no way back; whoever looks asks again
            log.debug("There is no answer to %s: %s", sender[0], error.strerror)
        except Exception:  # of one packet; the next may do better
            log.exception("A packet from %s could not be answered", sender[0])

    def reply_to(self, data: bytes, sender: str, now: float) -> bytes | None:
        """The answer to a packet; None: there is none. Raises OSError if there is no way back."""
        request = read_discover_request(read_frame(data))
        if request is None or not may_be_answered(sender):
            return None
        device = self._told.device_id()
        if not request.is_for(device) or not self._allowance.take(now):
            return None
        return discover_reply(Device(device, self._told.tuners, self._told.url_for(sender)))

    # --- TCP ---

    def _serve(self, connection: gevent_socket.socket, peer: tuple[str, int]) -> None:
        if not may_be_answered(peer[0]):
            return
        connection.settimeout(_IDLE)
        try:
            with gevent.Timeout(_LONGEST, False):
                self._answer_frames(connection)
        except OSError as error:  # it has left, or is silent
            log.debug("A connection from %s is over: %s", peer[0], error)
        except Exception:
            log.exception("A connection from %s was closed", peer[0])

    def _answer_frames(self, connection: gevent_socket.socket) -> None:
        frames = FrameReader()
        while not frames.is_broken and (data := connection.recv(LONGEST_FRAME)):
            for frame in frames.feed(data):
                request = read_variable_request(frame)
                reply = answer(request, self._told.tuners) if request else None
                if reply is not None:
                    connection.sendall(reply)
                gevent.sleep(_PAUSE)
