"""The cookies of one session, within bounds: if a server sets too many, the first ones are kept."""

from __future__ import annotations

from http.cookiejar import Cookie

from requests.cookies import RequestsCookieJar

MOST = 100  # cookies per session; a browser keeps 180 per site
LONGEST = 4096  # letters of a name and its value (RFC 6265, 6.1)


class Jar(RequestsCookieJar):
    """Keeps the cookies that fit; one that it has may always change its value."""

    def set_cookie(self, cookie: Cookie, *args: object, **kwargs: object) -> None:
        """Keep a cookie, unless there are too many or it is too long."""
        if len(cookie.name) + len(cookie.value or "") > LONGEST:
            return
        if len(self) >= MOST and not self._knows(cookie):
            return
        super().set_cookie(cookie, *args, **kwargs)

    def _knows(self, cookie: Cookie) -> bool:
        return any(
            (known.name, known.domain, known.path) == (cookie.name, cookie.domain, cookie.path)
            for known in self
        )
