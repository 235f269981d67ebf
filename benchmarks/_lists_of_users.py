"""Lists of many users, out of one rendering: what each costs, and what others feel meanwhile."""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from flask import Flask
from flask.testing import FlaskClient

from benchmarks._beside_a_stream import BITRATE, MOST, add_users, watched
from benchmarks._made_lists import list_of
from benchmarks.figures import Figure, at_most
from benchmarks.rig import compiled, percentile, running_proxy, two_cores
from kptv.channels.catalog import Catalog, Listing
from kptv.channels.merging import build_catalog
from kptv.channels.model import Source
from kptv.channels.packing import pack
from kptv.channels.users.model import User
from kptv.config import Config
from kptv.formats.m3u import ListParser
from kptv.pace import drive
from kptv.web.caller import ANYONE, CALLER, Caller, CallerKind
from kptv.web.players import lists as served
from kptv.web.players.lists import ServedLists, playlist_blueprint
from tests.provider import Provider

CHANNELS = 20_000
USERS, AT_ONCE = 500, 10
ROUNDS = 3
_GROUPS = ("Played", *(f"Group | {number}" for number in range(253)))  # all that _made_lists has
_GZIP = {"Accept-Encoding": "gzip"}


def run(users: int = USERS) -> list[Figure]:
    """The figures, and what they should be."""
    text = list_of(1, CHANNELS, CHANNELS)
    return [*_costs(text, users), *_beside_a_stream(text, users)]


# --- CPU, in this process ---


def _costs(text: str, users: int) -> list[Figure]:
    records = [pack(1, entry) for entry in ListParser().feed(text.split("\n"))]
    source = Source(1, "http://provider.example/list", 1)
    catalog = drive(build_catalog([Listing(source, [records])]))
    lists = ServedLists(Config(sources=(source,)))
    app = Flask("lists")
    app.register_blueprint(playlist_blueprint(lists))
    client = app.test_client()
    with _counted_renderings() as renderings:
        rendering = statistics.median(_rendering(lists, catalog, client) for _ in range(ROUNDS))
        _cpu(client, [_caller(0)])
        others = len(renderings)
        assert others == ROUNDS + 1
        own = _cpu(client, map(_caller, range(users)))
        more = len(renderings) - others
    plain, own_plain = (
        _cpu(client, callers, "identity") for callers in ([ANYONE] * 20, map(_caller, range(20)))
    )
    what = f"list of {CHANNELS:,} channels for each of {users} users"
    return [
        Figure(f"{what}: renderings beside the first", more, "", at_most(0)),
        Figure(
            f"{what}, gzipped: CPU ÷ a rendering",
            own / rendering,
            "",
            at_most(0.75),
            f"{own * 1e3:.0f} ms",
        ),
        Figure(
            f"{what}, plain: CPU ÷ the list of all",
            own_plain / plain,
            "",
            at_most(3),
            f"{own_plain * 1e3:.0f} ms",
        ),
    ]


def _rendering(lists: ServedLists, catalog: Catalog, client: FlaskClient) -> float:
    """Seconds of CPU for the first list of a new catalog."""
    lists.replace(catalog)
    return _cpu(client, [ANYONE])


def _user(number: int) -> User:
    """One of many with the same groups: a set that only users have, and that has all channels."""
    return User(id=number + 1, name=f"user{number}", groups=_GROUPS)


def _caller(number: int) -> Caller:
    return Caller(CallerKind.USER, _user(number), 1, f"/u/abcdefghijkmnp{number:06}")


def _cpu(
    client: FlaskClient, callers: Sequence[Caller] | Iterator[Caller], how: str = "gzip"
) -> float:
    """Seconds for each list."""
    begun, count = time.process_time(), 0
    for caller in callers:
        answer = client.get(
            "/playlist.m3u8", headers={"Accept-Encoding": how}, environ_overrides={CALLER: caller}
        )
        assert answer.status_code == 200
        assert answer.data
        count += 1
    return (time.process_time() - begun) / count


@contextmanager
def _counted_renderings() -> Iterator[list[object]]:
    """A list that grows with each rendering."""
    seen: list[object] = []
    render = served.render

    def counted(*given: object) -> Iterator[bytes]:
        seen.append(given)
        return render(*given)  # type: ignore[arg-type]

    served.render = counted  # type: ignore[assignment]
    try:
        yield seen
    finally:
        served.render = render


# --- through gunicorn ---


def _beside_a_stream(text: str, users: int) -> list[Figure]:
    with (
        two_cores() as cores,
        Provider("one", bitrate=BITRATE) as provider,
        compiled("viewers") as (viewers,),
    ):
        provider.add_channel("played", group_title="Played")
        provider.list.entries += tuple(text.split("\n")[1:])
        with running_proxy(provider, core=cores.server) as proxy:
            secrets = list(add_users(proxy, (_user(number) for number in range(users))).values())
            _asked(proxy.port, secrets[0])
            with watched(viewers, proxy, f"/u/{secrets[0]}/stream/played") as beside:
                with ThreadPoolExecutor(AT_ONCE) as pool:
                    firsts = list(pool.map(lambda secret: _asked(proxy.port, secret), secrets))
                what = f"{users} users fetch lists of {CHANNELS:,} channels, {AT_ONCE} at once"
                return [
                    Figure(
                        f"{what}: first byte, gzipped, p99",
                        percentile(firsts, 0.99) * 1e3,
                        "ms",
                        at_most(MOST),
                        f"median {percentile(firsts, 0.5) * 1e3:.1f}",
                    ),
                    *beside.felt(what),
                ]


def _asked(port: int, secret: str) -> float:
    """Seconds from the request until the first byte of the body is there; all of it is read."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.connect()
        begun = time.monotonic()
        connection.request("GET", f"/u/{secret}/playlist.m3u8", headers=_GZIP)
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.read(1)
        first = time.monotonic() - begun
        answer.read()
        return first
    finally:
        connection.close()
