"""Documents: what is fetched from a provider whole, kept, and read. Channel lists are one kind.

Theory of operation. A document may have 50 MB: it is never whole in memory. It comes in pieces of
at most 64 KB. Each is unpacked, kept (see ``store``) and fed to the reader of its kind, and between
two pieces the others have a turn. Whether all of it came is known at the end only, so nothing is
replaced before (see ``last_good``).

A further kind of document is a ``DocumentKind``, with a ``Reading`` that makes its ``Content``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from stat import S_ISREG
from typing import Generic, Protocol, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

import requests

from kptv.channels.model import Source
from kptv.errors import ImportFailed, UpstreamError
from kptv.formats import gzipped
from kptv.formats.addresses import resolve
from kptv.formats.gzipped import PIECE
from kptv.pace import Pace
from kptv.upstream.answers import read_some

DEADLINE = 600.0  # seconds for all of a document: 50 MB at 1 Mbit/s take 400
CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 60.0  # seconds of silence; some panels make a list only when asked, in half a minute
_CHARSET = re.compile(r";\s*+charset\s*+=\s*+[\"']?([\w.:-]++)", re.I)  # RFC 9110, 8.3.1
_MOST_LAYERS = 2  # of gzip: a .gz file that is sent with Content-Encoding


class Content(Protocol):
    """What was read out of a document."""

    @property
    def digest(self) -> str:
        """The same for the same content, however it came."""

    @property
    def count(self) -> int:
        """How many items it has."""

    @property
    def is_full(self) -> bool:
        """Whether the document has more items than are read."""

    @property
    def losses(self) -> str:
        """What else is not as the document has it, for the log; empty if nothing is."""

    def take_apart(self) -> Generator[None]:
        """Free it in steps; nobody needs it any more."""


ContentT = TypeVar("ContentT", bound=Content)
ContentT_co = TypeVar("ContentT_co", bound=Content, covariant=True)


class Reading(Protocol[ContentT_co]):
    """A document while it is read. If a piece takes long, it gives the others turns (``pace``)."""

    @property
    def is_full(self) -> bool:
        """True if what follows is left out, so that it need not be fetched."""

    def feed(self, piece: bytes) -> None:
        """Read some more: at most 64 KB, unpacked. Raises ImportFailed if it cannot be one."""

    def finish(self) -> ContentT_co:
        """All that was in it. Raises ImportFailed."""


@dataclass(frozen=True, slots=True)
class Edition:
    """Which edition of a document it is, and where it came from."""

    base: str = field(default="", repr=False)  # the URL behind all redirects: a secret
    etag: str = ""
    last_modified: str = ""
    digest: str = ""  # of the content
    charset: str = ""  # that the answer told

    def conditions(self) -> dict[str, str]:
        """Headers that ask for the document only if it is another edition (RFC 9110, 13.1)."""
        pairs = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in pairs.items() if value}


@dataclass(frozen=True, slots=True)
class DocumentKind(Generic[ContentT]):
    """How documents of one kind are read, kept, and called in the log."""

    name: str
    items: str  # that it has many of
    endings: tuple[str, str]  # of the names of the files in DATA_DIR: the document, its edition
    longest: int  # bytes, unpacked
    read: Callable[[Source, Edition], Reading[ContentT]]
    deadline: float = DEADLINE


@dataclass(frozen=True, slots=True)
class Document(Generic[ContentT]):
    """A document of a source: of which kind, and where it is."""

    kind: DocumentKind[ContentT]
    source: Source  # whose account is used to fetch it
    url: str = field(repr=False)  # of http, https, file, or a path: a secret

    @property
    def label(self) -> str:
        """What the log calls it: its list has the name of the source."""
        is_list = self.url == self.source.url
        return self.source.tag if is_list else f"{self.source.tag} {self.kind.name}"


class DocumentClient(Protocol):
    """What is needed of ``client.HttpClient``."""

    def get(
        self,
        source: Source,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout: tuple[float, float],
        also: frozenset[int],
    ) -> requests.Response: ...


OpenedDocument = tuple[Edition, Iterator[bytes]] | None


@contextmanager
def open_document(
    client: DocumentClient, document: Document[ContentT], known: Edition
) -> Iterator[OpenedDocument]:
    """The document's edition and its bytes as they come; None if it is the ``known`` one still.

    Raises ImportFailed, also while the bytes are iterated.
    """
    path = path_of(document.url)
    with _open_file(path, known) if path else _open_url(client, document, known) as opened:
        yield opened


def path_of(url: str) -> Path | None:
    """The file that a ``file:`` URL or a plain path stands for; None for any other URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme in ("http", "https"):
        return None
    return Path(url2pathname(parts.path) if parts.scheme == "file" else url)


@contextmanager
def _open_file(path: Path, known: Edition) -> Iterator[OpenedDocument]:
    with _file_errors():
        stat = path.stat()
        if not S_ISREG(stat.st_mode):  # to open a pipe would stop all streams
            raise ImportFailed("not a file")
        file = path.open("rb")
    edition = Edition(path.absolute().as_uri(), f"{stat.st_mtime_ns}-{stat.st_size}")
    with file:
        unchanged = edition.etag == known.etag
        yield None if unchanged else (edition, _pieces(_file_errors, lambda: file.read(PIECE)))


@contextmanager
def _open_url(
    client: DocumentClient, document: Document[ContentT], known: Edition
) -> Iterator[OpenedDocument]:
    # Takes no slot of the source: providers count streams, and this is a request to their panel.
    response = _ask(client, document, known)
    if response.status_code == 304 and resolve(response.url, "x") != resolve(known.base, "x"):
        response.close()  # behind another redirect, so its relative links lead elsewhere
        response = _ask(client, document, Edition())
    with closing(response):
        if response.status_code == 304:
            yield None
            return
        read = partial(read_some, response, PIECE, unpack=False)  # gzip is unpacked with turns
        yield _edition_of(response), _pieces(_request_errors, read)


def _edition_of(response: requests.Response) -> Edition:
    headers = response.headers
    told = _CHARSET.search(headers.get("content-type", ""))
    return Edition(
        response.url,
        headers.get("etag", ""),
        headers.get("last-modified", ""),
        charset=told[1] if told else "",
    )


def _ask(client: DocumentClient, document: Document[ContentT], known: Edition) -> requests.Response:
    with _request_errors():
        return client.get(
            document.source,
            document.url,
            headers={"Accept-Encoding": "gzip", **known.conditions()},
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            also=frozenset((304,)),
        )


def _pieces(
    errors: Callable[[], AbstractContextManager[None]], read: Callable[[], bytes]
) -> Iterator[bytes]:
    while True:
        with errors():
            data = read()
        if not data:
            return
        yield data


@contextmanager
def _request_errors() -> Iterator[None]:
    try:
        yield
    except UpstreamError as error:
        raise ImportFailed(str(error), error.retry_after) from None


@contextmanager
def _file_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ImportFailed(f"cannot read the file: {error.strerror}") from None


def unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes behind all layers of gzip, in pieces of at most PIECE; raises ImportFailed."""
    for _ in range(_MOST_LAYERS):
        pieces = gzipped.unpacked(pieces)
    try:
        yield from pieces
    except gzipped.BadGzip as error:
        raise ImportFailed(str(error)) from None


def read_document(
    document: Document[ContentT],
    edition: Edition,
    pieces: Iterator[bytes],
    keep: Callable[[bytes], object] = lambda _: None,
    worker: AbstractContextManager[object] | None = None,
) -> ContentT:
    """What is in ``pieces``, gzip or not; ``keep`` is given every piece unpacked.

    ``worker`` is held while a piece is read, and never while one is waited for.
    Takes slices of time (see ``pace``). Raises ImportFailed for what is no such document.
    """
    kind, pace, size = document.kind, Pace(), 0
    reading = kind.read(document.source, edition)
    worker = nullcontext() if worker is None else worker
    for piece in unpacked(pieces):
        with worker:
            keep(piece)
            size += len(piece)
            if size > kind.longest:
                raise ImportFailed(f"longer than {kind.longest // 1024**2} MiB")
            pace()
            reading.feed(piece)
        if reading.is_full:
            break
    with worker:
        return reading.finish()
