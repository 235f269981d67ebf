"""Lists of callers: what their rights allow, with links of their own, out of shared renderings."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from kptv.channels.users.model import Rights, User
from kptv.guide.current import CurrentGuide
from kptv.web.caller import CALLER, Caller, CallerKind
from kptv.web.players.guide import guide_blueprint
from kptv.web.players.lists import playlist_blueprint
from kptv.web.rendered import OWN_BASE
from tests.web.guides import Shown, generation_of
from tests.web.test_playlist import catalog_of, make_lists

LATE = "Fri, 01 Jan 2100 00:00:00 GMT"
LOGIN = "username=alice&password=sesame99"
LIST = f"""#EXTM3U
#EXTINF:-1 group-title="Kids" tvg-logo="http://a/logo.png?{LOGIN}",Cartoons
http://a/1?{LOGIN}
#EXTINF:-1 group-title="Kids;UK | Junior",Ten
http://a/2
#EXTINF:-1 group-title="News",News
http://a/3
#EXTINF:-1,Zed
http://a/4
"""
RULES = """
[profile.kids]
group = "Kids"
sort = "tvg-name"
direction = "desc"

[profile.news]
group = "News"
"""


class Rig:
    """The routes, asked by whom one says."""

    def __init__(self) -> None:
        self.guide = CurrentGuide()
        self.guide.expect(True)
        self.lists = make_lists(None, self.guide)
        self.lists.replace(catalog_of(LIST, RULES))
        app = Flask("test")
        app.register_blueprint(playlist_blueprint(self.lists))
        app.register_blueprint(guide_blueprint(self.guide, self.lists))
        self._client = app.test_client()

    def get(self, path: str, caller: Caller, **headers: str) -> TestResponse:
        given = {CALLER: caller}
        return self._client.get(path, headers=headers, environ_overrides=given)


NAMES = ("Cartoons", "Ten", "News", "Zed")


def user(number: int = 1, groups: tuple[str, ...] | None = None, profile: str = "") -> Caller:
    own = User(id=number, name=f"user{number}", groups=groups, profile=profile)
    return Caller(CallerKind.USER, own, 1, f"/u/secret{number}of{own.name}")


ALL, KIDS, NEWS = user(1), user(2, ("KIDS",)), user(3, ("News", "none"))
BOUND, NARROWED, LOST = user(4, None, "kids"), user(5, ("uk | junior",), "kids"), user(6, None, "x")
OPERATOR = Caller(CallerKind.OPERATOR)


@pytest.fixture
def rig() -> Iterator[Rig]:
    with gevent.Timeout(30):
        yield Rig()


def initials(answer: TestResponse) -> str:
    """Of the channels in the answer."""
    if answer.status_code != 200:
        return {404: "-"}[answer.status_code]
    lines = answer.text.splitlines()
    return ",".join(line.rpartition(",")[2][0] for line in lines if line.startswith("#EXTINF"))


@pytest.mark.parametrize(
    ("path", "shown"),
    [  # to ALL, KIDS, NEWS, BOUND, NARROWED, LOST; "-": 404
        ("/playlist.m3u8", "C,N,T,Z C,T N T,C T"),
        ("/kids/playlist.m3u8", "C,T C,T - T,C - -"),
        ("/NEWS/playlist.m3u8", "N - N - - -"),
        ("/profile/kids/playlist.m3u8", "T,C T,C  T,C T -"),
        ("/profile/kids/kids/playlist.m3u8", "T,C T,C - T,C - -"),
        ("/profile/news/playlist.m3u8", "N  N - - -"),
    ],
)
def test_everybody_gets_what_their_rights_allow(rig: Rig, path: str, shown: str) -> None:
    callers = [ALL, KIDS, NEWS, BOUND, NARROWED, LOST]
    answers = [initials(rig.get(path, caller)) for caller in callers]
    assert " ".join(answers).rstrip() == shown


@pytest.mark.parametrize(
    ("caller", "unknown", "outside"),
    [
        (KIDS, "/none/playlist.m3u8", "/news/playlist.m3u8"),
        (KIDS, "/profile/kids/none/playlist.m3u8", "/profile/kids/uk%20%7C%20junior/playlist.m3u8"),
        (BOUND, "/profile/none/playlist.m3u8", "/profile/news/playlist.m3u8"),
        (BOUND, "/profile/none/news/playlist.m3u8", "/profile/news/news/playlist.m3u8"),
        (BOUND, "/profile/none/epg.xml", "/profile/news/epg.xml"),
        (BOUND, "/none/playlist.m3u8", "/news/playlist.m3u8"),
    ],
    ids=["group", "group of a profile", "profile", "its group", "its guide", "group of another"],
)
def test_what_is_not_allowed_is_answered_as_what_is_not_there(
    rig: Rig, caller: Caller, unknown: str, outside: str
) -> None:
    answers = [rig.get(path, caller) for path in (unknown, outside)]
    assert answers[0].status_code == 404
    assert answers[0].data == answers[1].data
    assert list(answers[0].headers) == list(answers[1].headers)


def test_all_links_carry_the_secret(rig: Rig) -> None:
    base = "http://tv.example/iptv/u/secret2ofuser2"
    assert rig.get("/playlist.m3u8", KIDS).text.splitlines() == [
        f'#EXTM3U x-tvg-url="{base}/epg.xml.gz" url-tvg="{base}/epg.xml.gz"',
        f'#EXTINF:-1 tvg-chno="1" tvg-logo="{base}/logo/cartoons" group-title="Kids",Cartoons',
        f"{base}/stream/cartoons",
        '#EXTINF:-1 tvg-chno="3" group-title="Kids",Ten',
        f"{base}/stream/ten",
    ]
    text = rig.get("/profile/kids/playlist.m3u8", KIDS).text
    assert text.startswith(f'#EXTM3U x-tvg-url="{base}/profile/kids/epg.xml.gz"')


def test_links_to_hls_carry_the_secret_too(rig: Rig) -> None:
    base = "http://tv.example/iptv"
    for caller in (KIDS, BOUND):
        for path in ("/playlist.m3u8", "/kids/playlist.m3u8", "/profile/kids/playlist.m3u8"):
            usual = rig.get(path, caller).text
            text = rig.get(f"{path}?output=hls", caller).text
            assert f"\n{base}{caller.prefix}/hls/cartoons.m3u8\n" in text
            assert text.replace("/hls/", "/stream/").replace(".m3u8\n", "\n") == usual
    anyone = rig.get("/playlist.m3u8?output=hls", Caller()).text
    assert f"\n{base}/hls/zed.m3u8\n" in anyone
    assert "/u/" not in anyone
    assert rig.get("/playlist.m3u8?output=hls", KIDS).headers["Cache-Control"] == (
        "private, no-store"
    )
    assert rig.get("/news/playlist.m3u8?output=hls", KIDS).status_code == 404


def test_the_same_rights_share_one_rendering(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[object] = []
    begin = rig.lists._renderings.start
    monkeypatch.setattr(
        rig.lists._renderings,
        "start",
        lambda wanted: (rendered.append(wanted.key), begin(wanted))[1],
    )
    some = [user(number, ("Kids",)) for number in range(1, 21)]
    answers = [rig.get("/playlist.m3u8", each, **{"Accept-Encoding": "gzip"}) for each in some]
    texts = [gzip.decompress(each.data).decode() for each in answers]
    for caller, text in zip(some, texts, strict=True):
        assert text.count(f"{caller.prefix}/") == 5
        assert text.replace(caller.prefix, some[0].prefix) == texts[0]
    assert len(rendered) == 1
    assert len({answer.headers["ETag"] for answer in answers}) == len(some)


@pytest.mark.parametrize("path", ["/playlist.m3u8", "/kids/playlist.m3u8"])
def test_nobody_may_keep_a_list_with_a_secret(rig: Rig, path: str) -> None:
    for caller in KIDS, ALL, OPERATOR:
        assert rig.get(path, caller).headers["Cache-Control"] == "private, no-store"
    assert rig.get(path, Caller()).headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("caller", [Caller(), OPERATOR], ids=["anyone", "operator"])
def test_others_get_links_without_a_secret(rig: Rig, caller: Caller) -> None:
    text = rig.get("/playlist.m3u8", caller).text
    assert "/u/" not in text
    assert OWN_BASE not in text
    assert "http://tv.example/iptv/stream/zed" in text
    assert 'tvg-logo="http://tv.example/iptv/logo/cartoons"' in text


@pytest.mark.parametrize("order", [(Caller(), ALL), (ALL, Caller())], ids=["user last", "first"])
def test_a_list_of_all_is_each_ones_own(rig: Rig, order: tuple[Caller, Caller]) -> None:
    texts = {caller.prefix: rig.get("/playlist.m3u8", caller).text for caller in order}
    assert texts[ALL.prefix] == texts[""].replace("/iptv/", f"/iptv{ALL.prefix}/")


def test_a_user_who_has_the_list_is_told_so(rig: Rig) -> None:
    etag = rig.get("/playlist.m3u8", KIDS).headers["ETag"]
    again = {"If-None-Match": etag}
    assert rig.get("/playlist.m3u8", KIDS, **again).status_code == 304
    assert rig.get("/playlist.m3u8", user(7, ("kids",)), **again).status_code == 200
    more = Caller(KIDS.kind, User(id=2, name="user2"), 1, KIDS.prefix)  # may see more now
    assert rig.get("/playlist.m3u8", more, **again).status_code == 200


def test_who_waits_for_rights_gets_those_of_the_newest_catalog(rig: Rig) -> None:
    many = "".join(f'#EXTINF:-1 group-title="Kids",CH {n}\nhttp://a/{n}\n' for n in range(3000))
    older, newer = catalog_of(many), catalog_of(many.replace("CH", "TV"))
    rig.lists.replace(older)
    waiting = gevent.spawn(rig.get, "/playlist.m3u8", KIDS)
    gevent.sleep(0)
    assert not waiting.ready()
    rig.lists.replace(newer)
    waiting.join()
    assert "TV 2999" in waiting.value.text
    assert "CH 2999" not in waiting.value.text


# --- the guide ---

PATHS = ["/epg.xml", "/epg.xml.gz", "/guide.xml", "/xmltv.php"]


def channels_of(answer: TestResponse) -> str:
    """Initials of the channels in a guide."""
    if answer.status_code != 200:
        return str(answer.status_code)
    is_packed = answer.data[:2] == b"\x1f\x8b"
    xml = gzip.decompress(answer.data) if is_packed else answer.data
    return ",".join(name[:1].upper().decode() for name in re.findall(rb'<channel id="(\w+)', xml))


def use_guide(rig: Rig, folder: Path, *rights: Rights) -> None:
    shown = {name[0]: Shown(name.lower(), name.lower()) for name in NAMES}
    built = {each: [shown["C"], shown["T"]] for each in rights}
    profiles = {"kids": [shown["T"], shown["C"]], "news": [shown["N"]]}
    rig.guide.replace(generation_of(folder, list(shown.values()), profiles, built))


@pytest.mark.parametrize("path", PATHS)
def test_everybody_gets_the_guide_of_what_they_may_see_or_none_yet(
    rig: Rig, tmp_path: Path, path: str
) -> None:
    callers = [Caller(), ALL, KIDS, NEWS, BOUND, NARROWED, LOST]
    assert [rig.get(path, each).status_code for each in callers] == [503] * 7
    use_guide(rig, tmp_path, KIDS.rights)
    assert [channels_of(rig.get(path, each)) for each in callers] == [
        *("C,T,N,Z", "C,T,N,Z", "C,T", "503", "T,C", "503", "503")
    ]


def test_the_guide_of_a_profile_tells_no_more_than_the_users_own(rig: Rig, tmp_path: Path) -> None:
    use_guide(rig, tmp_path, KIDS.rights)
    callers = [Caller(), ALL, KIDS, NEWS, BOUND, NARROWED]
    assert [channels_of(rig.get("/profile/news/epg.xml", each)) for each in callers] == [
        *("N", "N", "C,T", "503", "404", "404")
    ]


def test_where_no_guide_is_known_the_bare_one_has_what_one_may_see(rig: Rig) -> None:
    rig.guide.expect(False)
    callers = [Caller(), ALL, KIDS, NEWS, BOUND, NARROWED]
    for path in PATHS:
        assert [channels_of(rig.get(path, each)) for each in callers] == [
            *("C,N,T,Z", "C,N,T,Z", "C,T", "N", "T,C", "T")
        ]
    assert channels_of(rig.get("/profile/kids/epg.xml", NARROWED)) == "T"
    assert channels_of(rig.get("/profile/news/epg.xml", NARROWED)) == "404"


def test_a_user_who_may_see_other_channels_now_does_not_keep_the_guide(
    rig: Rig, tmp_path: Path
) -> None:
    use_guide(rig, tmp_path, KIDS.rights, NEWS.rights)
    for path in PATHS:
        first = rig.get(path, KIDS)
        assert first.headers["Cache-Control"] == "private, no-store"
        assert "Last-Modified" not in first.headers
        again = {"If-None-Match": first.headers["ETag"]}
        assert rig.get(path, KIDS, **again).status_code == 304
        assert rig.get(path, NEWS, **again).status_code == 200
        assert rig.get(path, NEWS, **{"If-Modified-Since": LATE}).status_code == 200
    assert rig.get("/epg.xml", Caller()).headers["Cache-Control"] == "no-cache"
    assert rig.get("/epg.xml", OPERATOR).headers["Cache-Control"] == "private, no-store"
