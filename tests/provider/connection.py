"""One client's TCP connection to the simulator: what it is told, and how that goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import socket
import struct
import time
import zlib
from collections.abc import Coroutine, Mapping
from email.utils import formatdate
from gzip import compress as gzipped
from typing import TYPE_CHECKING

from tests.provider.http import (
    Reply,
    Request,
    byte_range,
    head_bytes,
    keeps_alive,
    parse_request,
    unchanged,
)
from tests.provider.resources import Bad, ChannelList, Computed, Failure, File, Resource, Stream

if TYPE_CHECKING:
    from tests.provider.machine import Account, Provider

TICK = 0.01  # seconds between two writes of a paced stream
HTML_PAGE = (
    b"<!DOCTYPE html><html><head><title>Sorry</title></head><body>No such thing</body></html>"
)


class Connection(asyncio.Protocol):
    """One client's TCP connection: reads requests, answers them one after the other."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.account: Account | None = None  # set while the provider counts this connection
        self.resource: Resource | None = None
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self.chunked = False
        self._received = b""
        self._answering: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._compressor: zlib._Compress | None = None

    # --- asyncio calls these ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.provider.clients.add(self)
        self.provider.accepted += 1

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._answer_next()

    def eof_received(self) -> None:
        self._leave()  # seen in the very callback that reads it
        self.transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._leave()
        if self._answering:
            self._answering.cancel()
        self.provider.clients.discard(self)
        self.provider.notify()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # --- commands of the test ---

    def plays(self, path: str) -> bool:
        return self.account is not None and self.resource is not None and self.resource.path == path

    def break_with(self, how: Bad) -> bool:
        """End the answer that runs; in the loop, at once where no time is needed."""
        assert self._answering is not None
        self._answering.cancel()
        if not self._ended_at_once(how):
            self._begin(self._linger(how))
        return True

    def reset(self) -> None:
        """RST instead of FIN."""
        self._leave()
        connected: socket.socket = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            on, seconds = 1, 0
            connected.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", on, seconds)
            )
        self.transport.abort()

    # --- counting ---

    def _enter(self, account: Account) -> bool:
        """Count this connection; False, and not counted any more, when it is one too many."""
        if self.account is not None:  # another request on a connection that counts already
            return True
        account.connections += 1
        account.max_connections_seen = max(account.max_connections_seen, account.connections)
        self.account = account
        self._note("+")
        if self.provider.limit and account.connections > self.provider.limit:
            account.turned_away += 1
            self._leave()
            return False
        return True

    def _leave(self) -> None:
        if self.account is not None:
            self.account.connections -= 1
            self._note("-")
            self.account = None

    def _note(self, sign: str) -> None:
        assert self.account is not None
        path = self.resource.path if self.resource else ""
        entry = (time.monotonic(), f"{sign} {path}", self.account.connections)
        self.provider.history.append(entry)
        self.provider.notify()

    # --- answering ---

    def _answer_next(self) -> None:
        if b"\r\n\r\n" not in self._received or self._answering:
            return
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        request = parse_request(head)
        self.provider.requests.append(request)
        self.provider.notify()
        self._begin(self._answer(request))

    def _begin(self, answer: Coroutine[object, object, None]) -> None:
        task = self._answering = asyncio.get_running_loop().create_task(answer)
        task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            self.provider.faults.append(error)
        if task is self._answering:
            self._answering = None
            if not self.transport.is_closing():
                self._answer_next()

    async def _answer(self, request: Request) -> None:
        self.chunked = False
        self._compressor = None
        # A close that reached this machine before this request is seen before it: let the loop
        # finish the round of events that brought the request, and that of the resets in it.
        for _ in range(3):
            await asyncio.sleep(0)
        self.provider.note_sockets()
        if self.provider.gate and (challenge := self.provider.gate.challenge(request)):
            self._reply(request, Reply(401, {"WWW-Authenticate": challenge}, HTML_PAGE))
            return
        resource = self.resource = self.provider.find(request)
        if resource is None:
            self._reply(request, Reply(404, body=b"not found"))
        elif isinstance(resource, ChannelList):
            await self._answer_list(request, resource)
        else:
            await self._answer_stream(request, resource)

    async def _answer_list(self, request: Request, channels: ChannelList) -> None:
        if failure := channels.next_failure():
            await self._fail(request, channels, failure)
            return
        body = channels.content()
        headers = {"Content-Type": channels.content_type, **channels.extra_headers}
        if channels.conditional:
            etag = f'"{hashlib.sha1(body).hexdigest()}"'
            modified = formatdate(channels.modified, usegmt=True)
            headers |= {"ETag": etag, "Last-Modified": modified}
            if unchanged(request, etag, modified):
                self._reply(request, Reply(304, headers))
                return
        if channels.gzip:
            body = gzipped(body)
        if channels.gzip == "header":
            headers["Content-Encoding"] = "gzip"
        self._head(200, headers, None if channels.chunked else len(body), channels)
        steps = max(1, int(channels.seconds / TICK))
        size = max(1, -(-len(body) // steps))
        for at in range(0, len(body) if request.method != "HEAD" else 0, size):
            await self._body(body[at : at + size])
            if steps > 1:
                await asyncio.sleep(TICK)
        self._end_body(keep=keeps_alive(request))

    async def _answer_stream(self, request: Request, resource: Resource) -> None:
        if request.method == "HEAD":
            self._head(200, {"Content-Type": resource.content_type}, None, resource)
            self._end_body()
            return
        if not self._enter(self.provider.account_of(request)):
            answer = self.provider.limit_answer
            self._reply(request, answer if isinstance(answer, Reply) else Reply(answer))
            return
        if resource.path in self.provider.tokened and request.path == resource.path:
            assert isinstance(resource, Stream)
            location = self.provider.new_token(resource)
            self._reply(request, Reply(302, {"Location": location}))
            return
        if failure := resource.next_failure():
            await self._fail(request, resource, failure)
        elif isinstance(resource, File):
            await self._send_file(request, resource)
        elif isinstance(resource, Computed):
            self._send_computed(request, resource)
        else:
            assert isinstance(resource, Stream)
            await self._play(resource)

    async def _play(self, stream: Stream) -> None:
        await asyncio.sleep(stream.delay)
        self._stream_head(stream, stream.content_length)
        await asyncio.sleep(stream.delay_body)
        await self._body(stream.junk)
        begun = time.monotonic()
        source = stream.source(next(self.provider.serials), begun)
        while True:
            now = time.monotonic()
            elapsed = now - begun
            if stream.period:
                elapsed += stream.period - elapsed % stream.period
            await self._body(source.due(elapsed, now))
            await asyncio.sleep(TICK)

    def _send_computed(self, request: Request, resource: Computed) -> None:
        """A whole answer; the connection counts until the client closes it."""
        reply = resource.reply(request)
        length = {"Content-Length": str(len(reply.body))}
        keep = {} if keeps_alive(request) else {"Connection": "close"}
        self.transport.write(head_bytes(reply.status, {**length, **keep, **reply.headers}))
        self._write_body(reply.body)
        if keep:
            self._close()

    async def _send_file(self, request: Request, file: File) -> None:
        headers = {"Content-Type": file.content_type, **file.extra_headers}
        status, start, stop = 200, 0, len(file.data)
        if file.ranges:
            headers["Accept-Ranges"] = "bytes"
            if wanted := byte_range(request, len(file.data)):
                status, (start, stop) = 206, wanted
                headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(file.data)}"
            if start >= stop:
                headers = {"Content-Range": f"bytes */{len(file.data)}"}
                self._reply(request, Reply(416, headers))
                return
        self._head(status, headers, stop - start, file)
        for at in range(start, stop, 65536):
            await self._body(file.data[at : min(at + 65536, stop)])
        self._end_body()

    # --- going wrong ---

    async def _fail(self, request: Request, resource: Resource, failure: Failure) -> None:
        how = failure.how
        if isinstance(how, int):
            how = Reply(how, {"Content-Type": "text/html"}, HTML_PAGE)
        if isinstance(how, Reply):
            headers = dict(how.headers)
            if failure.retry_after is not None:
                headers["Retry-After"] = f"{failure.retry_after:g}"
            self._reply(request, Reply(how.status, headers, how.body))
        elif failure.after_packets:
            await self._begin_body_then(how, resource, failure.after_packets)
        elif how is Bad.REDIRECT_LOOP:
            self._reply(request, Reply(302, {"Location": request.target}))
        elif how is Bad.HTML:
            self._reply(request, Reply(200, {"Content-Type": "text/html"}, HTML_PAGE))
        elif how is Bad.EMPTY:
            self._reply(request, Reply(200, {"Content-Type": resource.content_type}))
        elif how is Bad.DRIP_HEADERS:
            await self._drip_headers()
        elif how in (Bad.HANG, Bad.RESET, Bad.NO_ANSWER):
            await self._end(how)
        else:
            await self._begin_body_then(how, resource, 0)

    async def _begin_body_then(self, how: Bad, resource: Resource, packets: int) -> None:
        """Headers, the beginning of a good body, then the bad ending."""
        length = 10_000_000 if how is Bad.SHORT_BODY and not resource.chunked else None
        self._stream_head(resource, length)
        if isinstance(resource, Stream):
            serial = next(self.provider.serials)
            now = time.monotonic()
            await self._body(resource.numbered(serial).packets(packets, now))
        elif isinstance(resource, ChannelList):
            content = resource.content()
            await self._body(content[: len(content) // 2])
        await self._end(how)

    async def _end(self, how: Bad) -> None:
        if not self._ended_at_once(how):
            await self._linger(how)

    def _ended_at_once(self, how: Bad) -> bool:
        """End the running body in this way; False where that way takes time."""
        if how is Bad.RESET:
            self.reset()
        elif how is Bad.END:
            self._end_body()
        elif how in (Bad.SHORT_BODY, Bad.NO_ANSWER):
            self._close()
        elif how is Bad.HTML:
            self._write_body(HTML_PAGE)
            self._end_body()
        else:
            return False
        return True

    async def _linger(self, how: Bad) -> None:
        """Keep the connection open until the client closes it."""
        noise = random.Random(7)
        while True:
            if how is Bad.GARBAGE:
                await self._body(noise.randbytes(2500).replace(b"G", b"g"))
            await asyncio.sleep(TICK)

    async def _drip_headers(self) -> None:
        head = b"HTTP/1.1 200 OK\r\n" + b"X-Padding: 0\r\n" * 10_000
        for at in range(len(head)):
            self.transport.write(head[at : at + 1])
            await asyncio.sleep(0.1)

    # --- writing ---

    def _stream_head(self, resource: Resource, length: int | None) -> None:
        headers = {"Content-Type": resource.content_type, **resource.extra_headers}
        if isinstance(resource, Stream):
            if resource.content_encoding:
                headers["Content-Encoding"] = resource.content_encoding
            if resource.compressed:
                self._compressor = zlib.compressobj(wbits=31)
        self._head(200, headers, length, resource)

    def _head(
        self, status: int, headers: Mapping[str, str], length: int | None, resource: Resource
    ) -> None:
        self.chunked = resource.chunked and length is None
        framing = {"Transfer-Encoding": "chunked"} if self.chunked else {}
        if length is not None:
            framing["Content-Length"] = str(length)
        if isinstance(resource, Stream | File) or not framing:
            framing["Connection"] = "close"
        self.transport.write(head_bytes(status, {**headers, **framing}))

    def _reply(self, request: Request, reply: Reply) -> None:
        """A whole answer; the connection is not counted from here on."""
        self._leave()
        empty = request.method == "HEAD" or reply.status in (204, 304)
        length = {} if reply.status == 304 else {"Content-Length": str(len(reply.body))}
        self.transport.write(
            head_bytes(reply.status, {**length, **reply.headers}) + (b"" if empty else reply.body)
        )
        if not keeps_alive(request):
            self.transport.close()

    async def _body(self, data: bytes) -> None:
        self._write_body(data)
        await self._writable.wait()

    def _write_body(self, data: bytes) -> None:
        if not data or self.transport.is_closing():
            return
        assert self.resource is not None
        self.resource.bytes_sent += len(data)
        self.provider.bytes_sent += len(data)
        if self._compressor:
            data = self._compressor.compress(data) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        if self.chunked:
            data = f"{len(data):x}\r\n".encode() + data + b"\r\n"
        self.transport.write(data)

    def _end_body(self, keep: bool = False) -> None:
        if self.chunked:
            self.transport.write(b"0\r\n\r\n")
        if keep:
            self._leave()
        else:
            self._close()

    def _close(self) -> None:
        self._leave()
        self.transport.close()
