"""An RTSP server of one transport stream: RTP over the RTSP connection itself (RFC 2326, 10.12).

with RtspOrigin(media) as origin:
    origin.url
"""

from __future__ import annotations

import struct
import threading
from socketserver import StreamRequestHandler, ThreadingTCPServer
from types import TracebackType
from typing import cast

from tests.numbered_ts import PACKET

MP2T = 33  # payload type of a transport stream (RFC 3551, 6)
_PAYLOAD = 7 * PACKET  # bytes of an RTP packet
_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=News\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:t\r\n"
)
_ANSWERS = {
    "OPTIONS": ("Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n", ""),
    "DESCRIBE": ("Content-Type: application/sdp\r\n", _SDP),
    "SETUP": ("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n", ""),
    "PLAY": ("Session: 1\r\n", ""),
    "TEARDOWN": ("Session: 1\r\n", ""),
}


class RtspOrigin:
    """Sends ``media`` to whoever asks, as fast as it is taken, then hangs up."""

    def __init__(self, media: bytes) -> None:
        self.media = media
        self.asked: list[str] = []  # methods and what was asked to be the transport
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.origin = self

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self._server.server_address[1]}/user/secret"

    def __enter__(self) -> RtspOrigin:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    origin: RtspOrigin


class _Handler(StreamRequestHandler):
    timeout = 20

    def handle(self) -> None:
        origin = cast(_Server, self.server).origin
        while first := self.rfile.readline().decode():
            headers = {}
            while line := self.rfile.readline().decode().strip():
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            method = first.split()[0]
            origin.asked.append(f"{method} {headers.get('transport', '')}".strip())
            more, body = _ANSWERS[method]
            length = f"Content-Length: {len(body)}\r\n" if body else ""
            head = f"RTSP/1.0 200 OK\r\nCSeq: {headers['cseq']}\r\n{more}{length}\r\n"
            self.wfile.write((head + body).encode())
            if method == "PLAY":
                self._send(origin.media)
                return

    def _send(self, media: bytes) -> None:
        for number, at in enumerate(range(0, len(media), _PAYLOAD)):
            header = struct.pack(">BBHII", 0x80, MP2T, number & 0xFFFF, number * 900, 7)
            packet = header + media[at : at + _PAYLOAD]
            self.wfile.write(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
