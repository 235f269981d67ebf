"""Logos whose addresses hold a secret: each is fetched once, by its source, for all who ask.

No slot is taken: providers count streams. Whatever the answer is, it counts for the logo alone: no
stream, host or account is blamed for it, and cookies that it sets are dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from weakref import WeakValueDictionary

import gevent
from cachetools import LRUCache, TTLCache
from gevent.lock import BoundedSemaphore

from kptv.channels.logos import Logo
from kptv.errors import Reason, Unavailable, UpstreamError
from kptv.formats.pictures import Picture, picture_of
from kptv.upstream.picture_files import PictureFiles

log = logging.getLogger(__name__)

AT_A_TIME = 2  # per source
DEADLINE = 10.0  # seconds for all of a picture
PATIENCE = 20.0  # seconds that a client waits
FAILED_FOR = 3600.0  # seconds in which a logo that failed is not fetched again
KEPT = "kept"  # how a fetch ended that did not fail; all others: a Reason
_MOST_WAITING = 100  # fetches of a source, running and to come
_MOST_FAILED = 20_000  # that are remembered
_MOST_SENT = 32 * 1024**2  # bytes of pictures that are being sent at once
_MOST_UNKEPT = 16 * 1024**2  # bytes of pictures that the disk does not keep, as in a copy to read

_Key = tuple[int, str]  # source number, URL


class Logos:
    """Gives the pictures of logos, from the disk or from their providers."""

    def __init__(
        self,
        download: Callable[[Logo], bytes],
        files: PictureFiles,
        count: Callable[[int, str], object],
    ) -> None:
        """``download`` may raise UpstreamError; it is given DEADLINE.

        ``count`` is told of each fetch: the source's number, and KEPT or a Reason.
        """
        self._download = download
        self._files = files
        self._count = count
        self._fetches: dict[_Key, gevent.Greenlet] = {}
        self._places: dict[int, BoundedSemaphore] = {}
        self._failed: TTLCache[_Key, None] = TTLCache(_MOST_FAILED, FAILED_FOR)
        self._unkept: LRUCache[str, bytes] = LRUCache(_MOST_UNKEPT, len)
        # Held by those who send them; many clients of one picture share its bytes.
        self._sent: WeakValueDictionary[str, Picture] = WeakValueDictionary()
        self._reading = BoundedSemaphore()
        self._complained = False

    def __repr__(self) -> str:
        return f"<Logos fetches={len(self._fetches)} failed={len(self._failed)}>"

    def get(self, logo: Logo) -> Picture | None:
        """The picture, waited for while it is fetched; None if it cannot be had.

        Raises Unavailable if too many want pictures at this moment.
        """
        key = (logo.source.number, logo.url)
        with gevent.Timeout(PATIENCE, Unavailable("The logo is not there yet.", 5.0)):
            if kept := self._kept(logo.url):
                return kept
            if key in self._failed:
                return None
            fetch = self._fetches.get(key) or self._start(key, logo)
            fetch.join()
        return fetch.value if isinstance(fetch.value, Picture) else None

    def close(self) -> None:
        """End all fetches; those who wait get nothing. May come twice."""
        gevent.killall(list(self._fetches.values()), block=False)

    def _kept(self, url: str) -> Picture | None:
        with self._reading:  # so that all who come at once share what the first one reads
            if (shared := self._sent.get(url)) is not None:
                return shared
            if sum([len(picture.data) for picture in self._sent.values()]) > _MOST_SENT:
                raise Unavailable("Too many logos are being sent.", 5.0)
            return self._share(url, self._files.read(url) or picture_of(self._unkept.get(url, b"")))

    def _share(self, url: str, picture: Picture | None) -> Picture | None:
        if picture is not None:
            self._sent[url] = picture
        return picture

    def _start(self, key: _Key, logo: Logo) -> gevent.Greenlet:
        number = logo.source.number
        if sum([each == number for each, _ in self._fetches]) >= _MOST_WAITING:
            raise Unavailable("Too many logos are being fetched.", 5.0)
        fetch = self._fetches[key] = gevent.spawn(self._fetch, logo)
        fetch.link(lambda _: self._fetches.pop(key, None))
        return fetch

    def _fetch(self, logo: Logo) -> Picture | None:
        """Never raises: perhaps nobody waits for it any more."""
        number = logo.source.number
        try:
            with self._places.setdefault(number, BoundedSemaphore(AT_A_TIME)):
                picture = self._fetched(logo)
        except Exception as error:
            if not isinstance(error, UpstreamError):  # a fault of ours
                log.exception("%s: a logo could not be fetched", logo.source.tag)
            reason = error.reason if isinstance(error, UpstreamError) else Reason.INTERNAL
            log.debug("%s: a logo: %s", logo.source.tag, error)
            self._count(number, str(reason))
            self._failed[number, logo.url] = None
            return None
        self._count(number, KEPT)
        return self._share(logo.url, picture)

    def _fetched(self, logo: Logo) -> Picture | None:
        late = UpstreamError(Reason.TIMEOUT, f"not complete after {DEADLINE:.0f} s")
        with gevent.Timeout(DEADLINE, late):
            data = self._download(logo)
        picture, error = self._files.keep(logo.url, data)
        if error is not None:  # so that the provider is not asked each time
            self._failed[logo.source.number, logo.url] = None
            self._complain(error)
            if picture is not None:
                self._unkept[logo.url] = data
        return picture

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            log.warning("DATA_DIR cannot be written (%s): logos are not kept there", error.strerror)
        self._complained = True
