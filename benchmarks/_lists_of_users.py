"""Lists of many users, out of one rendering: what each costs, and what others feel meanwhile."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from benchmarks._made_lists import list_of
from benchmarks.figures import Figure, at_most
from benchmarks.rig import Crowd, compiled, percentile, running_proxy, two_cores
from kptv.channels.catalog import Listing
from kptv.channels.merging import build_catalog
from kptv.channels.model import Source
from kptv.channels.packing import pack
from kptv.channels.users.model import User
from kptv.config import Config
from kptv.formats.m3u import ListParser
from kptv.pace import drive
from kptv.users.store import UsersFile
from kptv.web.caller import ANYONE, CALLER, Caller, CallerKind
from kptv.web.players import lists as served
from kptv.web.players.lists import ServedLists, playlist_blueprint
from tests.functional.harness import Proxy, eventually
from tests.provider import Provider

CHANNELS = 20_000
USERS, AT_ONCE = 500, 10
BITRATE = 8_000_000
SETTLE, REST = 2.0, 10.0  # seconds: until a viewer has its first burst; of the measure at rest
_GZIP = {"Accept-Encoding": "gzip"}


def run(users: int = USERS) -> list[Figure]:
    """The figures, and what they should be."""
    text = list_of(1, CHANNELS, CHANNELS)
    return [*_costs(text, users), *_beside_a_stream(text, users)]


# --- CPU, in this process ---


def _costs(text: str, users: int) -> list[Figure]:
    records = [pack(1, entry) for entry in ListParser().feed(text.split("\n"))]
    source = Source(1, "http://provider.example/list", 1)
    lists = ServedLists(Config(sources=(source,)))
    lists.replace(drive(build_catalog([Listing(source, [records])])))
    app = Flask("lists")
    app.register_blueprint(playlist_blueprint(lists))
    client = app.test_client()
    with _counted_renderings() as renderings:
        rendering = _cpu(client, [ANYONE])
        _cpu(client, [_user(0)])
        others = len(renderings)
        own = _cpu(client, map(_user, range(users)))
        more = len(renderings) - others
    plain, own_plain = (
        _cpu(client, callers, "identity") for callers in ([ANYONE] * 20, map(_user, range(20)))
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


def _user(number: int) -> Caller:
    user = User(id=number + 1, name=f"user{number}")
    return Caller(CallerKind.USER, user, 1, f"/u/abcdefghijkmnp{number:06}")


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
        provider.add_channel("played")
        provider.list.entries += tuple(text.split("\n")[1:])
        with running_proxy(provider, core=cores.server) as proxy:
            secrets = [_add(proxy, number) for number in range(users)]
            eventually(lambda: proxy.get("/playlist.m3u8").status == 401, 5)
            eventually(lambda: _asked(proxy.port, secrets[0]) > 0, 5)
            path = f"/u/{secrets[0]}/stream/played"
            with Crowd(viewers, proxy.port, path, 1, marks=True) as crowd:
                time.sleep(SETTLE)
                crowd.report()
                time.sleep(REST)
                rest = crowd.report()
                with ThreadPoolExecutor(AT_ONCE) as pool:
                    firsts = list(pool.map(lambda secret: _asked(proxy.port, secret), secrets))
                busy = crowd.report()
    what = f"{users} users fetch lists of {CHANNELS:,} channels, {AT_ONCE} at once"
    return [
        Figure(
            f"{what}: first byte, gzipped, p99",
            percentile(firsts, 0.99) * 1e3,
            "ms",
            at_most(20),
            f"median {percentile(firsts, 0.5) * 1e3:.1f}",
        ),
        Figure(
            f"{what}: p99 of a running stream's delay, beyond rest",
            busy.p99 - rest.p99,
            "ms",
            at_most(20),
            f"at rest {rest.p99:.0f}, longest {busy.longest:.0f}",
        ),
    ]


def _add(proxy: Proxy, number: int) -> str:
    folder = Path(proxy.settings["DATA_DIR"])
    return UsersFile(folder).add(User(id=0, name=f"user{number}")).text


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
