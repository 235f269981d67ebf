"""Names, links, secrets, refusals, settings: whatever is in them."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kptv.channels.grouping import normalised, slug_of
from kptv.channels.hosts import HostCount, host_of
from kptv.channels.indexes import SlugIndex
from kptv.channels.model import Source, Stream
from kptv.channels.reach import (
    Private,
    headers_for,
    is_metadata,
    is_private,
    parse_address,
    refusal,
    travelling,
)
from kptv.channels.resting import LONGEST_STREAM_REST, LOOK_AFTER, Rests, Scope
from kptv.channels.secrets import Finder, Secrets, secrets_of_link, secrets_of_list
from kptv.channels.served import render
from kptv.config import Config, load_config
from kptv.errors import ConfigError, Reason, UpstreamError
from kptv.formats.m3u import ListParser
from kptv.web.players.links import LONGEST, Ambiguous, meant, meant_path, without_playlist
from tests.fuzz import probes
from tests.fuzz.inputs import NUMBER, URL, WORD, examples

# --- names and links ---


@examples(150)
@given(st.text(max_size=200), st.sampled_from([".ts", "/", "?a=b", "%2F", "+", ""]))
def test_any_name_has_a_slug_that_leads_to_it_also_as_applications_write_it(
    name: str, appended: str
) -> None:
    slug = slug_of(name)
    assert slug_of(normalised(name)) == slug
    assert slug.isascii()
    assert not set(slug) & set("/?#%+ ")

    def find(text: str) -> str | None:
        return slug if slug_of(text) == slug or text == slug else None

    assert meant(slug, find) == slug
    if slug and appended in (".ts", "/", "?a=b", ""):
        assert meant(slug + appended, find) == slug
    assert meant_path(meant_path(f"/stream/{slug}")) == f"/stream/{slug}"


@examples(150)
@example("A+%00?++ ")
@given(st.one_of(WORD, URL, st.builds("{}%25{}".format, WORD, WORD)))
def test_no_link_is_looked_up_without_an_end(text: str) -> None:
    asked = Counter[str]()

    def find(text: str) -> None:
        asked[text] += 1

    with suppress(Ambiguous):
        meant(text, find)
    assert asked.total() <= 2**6
    assert max(asked.values()) == 1
    assert len(text) <= LONGEST
    path = meant_path(f"/{text}")
    assert meant_path(path) == path
    stem = without_playlist(text)
    assert stem is None or len(stem) < len(text)


@examples(60)
@given(st.lists(WORD, unique=True, max_size=40))
def test_every_slug_is_found_where_it_was_put(slugs: list[str]) -> None:
    index = SlugIndex(len(slugs))
    index.add(slugs, 0)
    for position, slug in enumerate(slugs):
        assert position in index.candidates(slug)


@examples(100)
@given(st.lists(URL, min_size=1, max_size=30))
def test_the_host_of_most_links_is_that_of_more_than_half(urls: list[str]) -> None:
    hosts = HostCount()
    hosts.add(urls)
    counted = Counter(map(host_of, urls)).most_common(1)[0]
    assert hosts.most == (counted[0] if 2 * counted[1] > len(urls) else "")


# --- secrets, reach ---


@examples(150)
@given(URL, st.text("abcXYZ0189_-", min_size=6, max_size=20), WORD)
def test_no_secret_of_a_link_is_told_in_what_is_served(url: str, secret: str, word: str) -> None:
    secret = f"{secret}7q"
    words = re.sub(r"[#|]", "", word)  # behind one it is not the link's
    told = f"http://x.example/live?{words}&password={secret}"
    own = secrets_of_link(told) | secrets_of_list(told) | secrets_of_list(url)
    assert secret in own.words
    finder = Finder(own)
    for text in (secret, f"{word} {secret}", f"http://l.example/{secret}.png", told):
        assert finder.may_tell(text)
        assert finder.tells(text)
    lines = [f'#EXTINF:-1 tvg-logo="http://l.example/?k={secret}" x="{secret}",A', told]
    text = b"".join(render(probes.catalog(ListParser().feed(lines)), "http://tv")).decode()
    assert secret not in text


@examples(60)
@given(st.lists(st.tuples(WORD, WORD), max_size=6), WORD)
def test_what_tells_may_tell(logins: list[tuple[str, str]], text: str) -> None:
    finder = Finder(Secrets(frozenset(w for w, _ in logins), frozenset(logins)))
    for told in (text, *(f"{word}/{other}" for word, other in logins)):
        if finder.tells(told) or finder.tells_in_words(told):
            assert finder.may_tell(told)


@examples(200)
@given(st.one_of(st.ip_addresses().map(str), WORD, URL), st.booleans())
def test_any_address_is_allowed_or_refused_with_a_reason(text: str, private: bool) -> None:
    address = parse_address(text)
    if address is None:
        return
    told = {policy: refusal(address, policy, list_is_private=private) for policy in Private}
    assert bool(told[Private.ALWAYS]) == is_metadata(address)
    assert bool(told[Private.NEVER]) == (is_metadata(address) or is_private(address))
    assert not told[Private.AUTO] or told[Private.NEVER]
    if address.version == 4:
        mapped = ip_address(f"::ffff:{address}")
        assert is_private(mapped) == is_private(address)
        assert is_metadata(mapped) == is_metadata(address)


@examples(60)
@given(st.dictionaries(WORD, WORD), URL, URL)
def test_a_cookie_never_travels_to_another_host(
    headers: dict[str, str], url: str, other: str
) -> None:
    stream = Stream(Source(1, "http://l.example/", 1), url, headers={**headers, "Cookie": "s"})
    assert "Cookie" not in travelling(stream.headers)
    sent = headers_for(stream, other)
    assert set(sent) <= set(stream.headers)
    assert "Cookie" in headers_for(stream, url)


# --- who is left alone ---

_SOURCES = (Source(1, "http://a/", 1, host="a.example"), Source(2, "http://b/", 2, host=""))
_STREAMS = [
    Stream(source, f"http://{host}/{number}")
    for source in _SOURCES
    for host in ("a.example", "b.example")
    for number in range(3)
]
_REFUSALS = st.builds(
    UpstreamError,
    st.sampled_from([Reason.RATE_LIMITED, Reason.HTTP_ERROR, Reason.RESET]),
    status=st.sampled_from([None, 403, 429, 456, 503, 404]),
    retry_after=st.one_of(st.none(), st.floats(-10, 1e12)),
)
_EVENTS = st.tuples(
    st.sampled_from(["refused", "refused", "refused", "let in", "imported", "end", "take back"]),
    st.sampled_from(_STREAMS),
    _REFUSALS,
    st.floats(0, 100),
    st.booleans(),
)


@examples(100)
@given(st.lists(_EVENTS, max_size=40))
def test_nobody_rests_for_ever_and_who_gave_media_rests_no_more(
    events: list[tuple[str, Stream, UpstreamError, float, bool]],
) -> None:
    rests, now = Rests(), 1000.0
    for event, stream, error, later, busy in events:
        now += later
        if event == "refused" and (party := rests.party(stream, error, now, busy)):
            rest = rests.rest(party, stream.name, error, now)
            assert rest.look_at > now
            longest = LONGEST_STREAM_REST if party[0] is Scope.STREAM else LOOK_AFTER
            assert rest.look_at <= now + longest + 1e-6
            rests.take_back(party)
        elif event == "let in":
            rests.let_in(stream)
            before = rests.of(stream)
            assert before is None or before.scope is Scope.ACCOUNT
        elif event == "imported":
            rests.imported(None)
        elif event == "end":
            rests.end(stream.key)
        for rest in rests.all(now):
            assert rest.look_at > now
        rests.asked_until(stream)
    assert not rests.all(now + LONGEST_STREAM_REST + 1)


# --- settings ---

_TEXTS = st.one_of(NUMBER, URL, WORD, st.builds("{}|{},{}".format, URL, NUMBER, URL))


@pytest.fixture(scope="module")
def variables() -> list[str]:
    with pytest.raises(ConfigError):
        load_config({}, env_file=None)
    return [name.upper() for name in Config.__dataclass_fields__ if name != "warnings"]


@examples(100)
@given(st.data())
def test_any_setting_is_taken_or_named_with_what_is_accepted(
    variables: list[str], data: st.DataObject
) -> None:
    environ = data.draw(st.dictionaries(st.sampled_from(variables), _TEXTS, max_size=5))
    environ.setdefault("SOURCES", "http://l.example/|1")
    try:
        config = load_config(environ, env_file=None)
    except ConfigError as error:
        told = str(error).split("\n")[1:]
        assert told
        assert all(line.split(":")[0].strip() in environ for line in told if "; accepted:" in line)
        return
    assert config.sources
    assert config.stream_timeout > 0
    assert config.max_buffer_size > 0
    assert 0 < config.port < 65536
    assert repr(config).count("l.example") == 0
