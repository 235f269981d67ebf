"""Lists of Xtream's protocol beside a running stream: as they are built, and as they are sent.

They are built once per set of groups: users who come later, with groups of users who were there
before, get what is there.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterable
from itertools import cycle, islice
from urllib.parse import urlencode

from benchmarks._beside_a_stream import BITRATE, MOST, Beside, add_users, watched
from benchmarks.figures import Figure, at_most
from benchmarks.rig import compiled, percentile, running_proxy, two_cores
from kptv.channels.users.model import User
from tests.functional.harness import Metrics, Proxy
from tests.provider import Provider

GROUPS = 80
_NAMES = [f"Group {number}" for number in range(GROUPS)]
# Of the users' groups; None: all. The channel that plays is in the first group.
SETS = (None, tuple(_NAMES[: GROUPS // 2]), tuple(_NAMES[::2]), tuple(_NAMES[::3]))
PLAYED = "c0"
_TOKEN = "open-sesame"
_AFTER = 1.0  # seconds of the stream that still count
_BETWEEN = 0.05  # seconds from one request to the next: the provider sends from this process, too


def run(channels: int, requests: int) -> list[Figure]:
    """The figures of a list of so many ``channels``, asked for so often."""
    with (
        two_cores() as cores,
        Provider("one", bitrate=BITRATE) as provider,
        compiled("viewers") as (viewers,),
    ):
        _list(provider, channels)
        with running_proxy(provider, core=cores.server, ADMIN_TOKEN=_TOKEN) as proxy:
            first, later = (_logins(proxy, when) for when in ("first", "later"))
            with watched(viewers, proxy, f"/u/{first['first0']}/stream/{PLAYED}") as beside:
                what = f"{channels:,} channels by Xtream"
                return [
                    *_built(proxy, beside, first, what),
                    *_sent(proxy, beside, islice(cycle(later.items()), requests), what),
                ]


def _list(provider: Provider, channels: int) -> None:
    first = provider.add_channel(PLAYED, group_title=_NAMES[0])
    lines = []
    for number in range(1, channels):
        told = f'tvg-id="c{number}.uk" tvg-logo="http://logos.example/{number}.png"'
        named = f'#EXTINF:-1 {told} group-title="{_NAMES[number % GROUPS]}",Channel {number} HD'
        lines += [named, f"{first.url}?{number}"]
    provider.list.entries += tuple(lines)


def _logins(proxy: Proxy, when: str) -> dict[str, str]:
    """A user for each set of groups: names and secrets."""
    users = (User(id=0, name=f"{when}{at}", groups=groups) for at, groups in enumerate(SETS))
    return add_users(proxy, users)


def _built(proxy: Proxy, beside: Beside, logins: dict[str, str], what: str) -> list[Figure]:
    asked = [_asked(proxy.port, login) for login in logins.items()]
    time.sleep(_AFTER)
    seconds, size = max(asked)
    sets = f"{what}, built for {len(SETS)} sets of groups"
    return [
        Figure(f"{what}: built for the first who asks", seconds, "s", note=f"{size:,} bytes"),
        *beside.felt(sets),
        Figure(f"{sets}: the loop stands still, at most", _lag(proxy), "ms", at_most(MOST)),
    ]


def _lag(proxy: Proxy) -> float:
    """In ms, lately."""
    told = Metrics(proxy.get("/metrics", headers={"X-Admin-Token": _TOKEN}).text)
    return told.value("iptv_proxy_event_loop_lag_recent_seconds") * 1e3


def _sent(
    proxy: Proxy, beside: Beside, logins: Iterable[tuple[str, str]], what: str
) -> list[Figure]:
    firsts = []
    for login in logins:
        firsts.append(_asked(proxy.port, login)[0])
        time.sleep(_BETWEEN)
    return [
        Figure(
            f"{what}, to others with these groups: first byte, gzipped, p99",
            percentile(firsts, 0.99) * 1e3,
            "ms",
            at_most(MOST),
            f"of {len(firsts)}; median {percentile(firsts, 0.5) * 1e3:.1f}",
        ),
        *beside.felt(f"{what}, to others with these groups"),
    ]


def _asked(port: int, login: tuple[str, str]) -> tuple[float, int]:
    """Seconds from connecting to the first byte of the list, and the bytes of all."""
    query = urlencode(dict(zip(("username", "password"), login, strict=True)))
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        path = f"/player_api.php?{query}&action=get_live_streams"
        connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Content-Encoding"]) == (200, "gzip")
        first = answer.read(1)
        seconds = time.monotonic() - begun
        return seconds, len(first) + len(answer.read())
    finally:
        connection.close()
