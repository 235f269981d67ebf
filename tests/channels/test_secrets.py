"""One answer to what of a provider's URL is a secret."""

from __future__ import annotations

import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kptv.channels.catalog import Catalog, Listing
from kptv.channels.merging import build_catalog
from kptv.channels.model import Source
from kptv.channels.packing import pack
from kptv.channels.secrets import Finder, Secrets, secrets_of_link, secrets_of_list
from kptv.channels.served import render
from kptv.formats.m3u import ListParser
from kptv.logs.redaction import Redactor
from kptv.pace import drive

XTREAM = "http://panel.example:8080/get.php?username=alice&password=s3cret&type=m3u_plus"
FILE = "/srv/lists/own.m3u"
LOGO = 'tvg-logo="http://logos.example/{}"'


def catalog_of(*lists: tuple[str, str]) -> Catalog:
    """Of lists, each with its URL."""
    listings = []
    for number, (url, text) in enumerate(lists, start=1):
        entries = ListParser().feed(text.split("\n"))
        records = [pack(number, entry) for entry in entries]
        listings.append(Listing(Source(number, url, number), [records]))
    return drive(build_catalog(listings))


def served(*lists: tuple[str, str]) -> str:
    return b"".join(render(catalog_of(*lists), "http://proxy")).decode()


def one_channel(attribute: str, *links: str) -> str:
    others = "".join(f"#EXTINF:-1,Other {n}\n{link}\n" for n, link in enumerate(links[1:]))
    return f'#EXTINF:-1 tvg-id="i" {attribute},A\n{links[0]}\n{others}'


def is_served(url: str, attribute: str, *links: str) -> bool:
    text = served((url, one_channel(attribute, *links)))
    assert 'tvg-id="i"' in text
    return attribute in text


# --- a logo in a stream's folder is no secret ---


@pytest.mark.parametrize(
    ("stream", "logo"),
    [
        ("http://cdn.example/news/one/index.m3u8", "http://cdn.example/news/one/logo.png"),
        ("http://cdn.example/tv/bbc/1.m3u8", "http://cdn.example/tv/bbc/logo.png"),
        ("http://cdn.example/live/bbc/one/index.m3u8", "http://cdn.example/live/bbc/one/a.png"),
        ("http://cdn.example/hls/live/2003459/news/1.m3u8", "http://cdn.example/hls/live/1.png"),
        ("http://cdn.example/1.ts", "http://cdn.example/1.png"),
    ],
)
@pytest.mark.parametrize("url", [XTREAM, FILE, "http://cdn.example/news/list.m3u"])
def test_a_logo_in_the_folder_of_its_stream_stays(url: str, stream: str, logo: str) -> None:
    assert is_served(url, f'tvg-logo="{logo}"', stream)


def test_what_all_links_share_is_no_secret_where_it_is_words() -> None:
    links = [f"http://cdn.example/hls/channels/{name}/index.m3u8" for name in ("bbc", "itv")]
    assert is_served(FILE, 'tvg-logo="http://cdn.example/hls/channels/bbc.png"', *links)


def test_the_address_of_the_stream_is_no_logo() -> None:
    assert not is_served(FILE, 'tvg-logo="http://cdn.example/bbc/"', "http://cdn.example/bbc/")


# --- secrets of a list's own URL ---

LIST_URLS = {
    "fields": "http://panel.example/get.php?username=alice&password=s3cret9",
    "short fields": "http://panel.example/list?u=alice&p=s3cret9",
    "other case": "http://panel.example/list?User=alice&PassWord=s3cret9",
    "before the host": "http://alice:s3cret9@panel.example/list.m3u",
    "path": "http://panel.example/alice/s3cret9/list.m3u",
    "path behind a word": "http://panel.example/get/alice/s3cret9",
    "path of a playlist": "http://panel.example/playlist/alice/s3cret9/m3u_plus/hls",
    "encoded": "http://panel.example/list?u=%61lice&p=s3cr%65t9",
    "encoded twice": "http://panel.example/%2561lice/s3cr%2565t9/list.m3u",
}
LOGOS = [
    "1.png?u=alice&p=s3cret9",
    "alice/s3cret9/1.png",
    "live/alice/s3cret9/1.png",
    "s3cret9.png",
    "1.png?x=S3CRET9",
    "%61lice/s3cr%65t9/1.png",
    "s3cr%2565t9/1.png",
    "?url=http%3A%2F%2Fpanel.example%2Falice%2Fs3cret9%2F1.png",
]


@pytest.mark.parametrize("logo", LOGOS)
@pytest.mark.parametrize("url", LIST_URLS.values(), ids=LIST_URLS)
def test_a_logo_with_what_a_lists_url_tells_is_left_out(url: str, logo: str) -> None:
    assert not is_served(url, LOGO.format(logo), "http://edge.example/7")


@pytest.mark.parametrize(
    "url",
    [
        "http://panel.example/list?u=tv&p=1",
        "http://panel.example/get.php?username=tv&password=1",
        "http://tv:1@panel.example/list.m3u",
    ],
)
def test_a_secret_of_few_letters_is_one_only_where_a_login_stands(url: str) -> None:
    link = "http://panel.example/live/tv/1/{}.ts"
    links = [link.format(n) for n in (7, 8)]
    for harmless in ("tv/1.png", "1/tv.png", "tv.png?v=1&x=tv", "live/1/tv/2.png"):
        assert is_served(url, LOGO.format(harmless), *links)
    for attribute in ('tvg-chno="1"', 'group-title="tv"', 'radio="1"', 'x="tv 1"'):
        assert is_served(url, attribute, *links)
    for secret in ("1.png?u=tv", "1.png?user=TV&amp;v=2", "2.png?password=1", "live/tv/1/2.png"):
        assert not is_served(url, LOGO.format(secret), *links)


def test_a_users_name_that_is_a_word_takes_no_name_or_guide_away() -> None:
    url = "http://panel.example/list?username=sky&password=s3cret9"
    link = "http://panel.example/live/sky/s3cret9/1.ts"
    for attribute in ('tvg-id="sky.uk"', 'tvg-name="sky one"', 'group-title="sky"'):
        assert attribute in served((url, f"#EXTINF:-1 {attribute},A\n{link}"))
    assert not is_served(url, 'x="sky"', link)
    assert not is_served(url, 'group-title="s3cret9"', link)


@pytest.mark.parametrize("password", ["p w", "a+b", "ä/ö", "50%", "x&y=z", "p!$()*w"])
@pytest.mark.parametrize("way", [quote, quote_plus, lambda text: quote(quote(text, safe=""))])
def test_a_password_is_found_in_each_way_of_writing(password: str, way: object) -> None:
    assert callable(way)
    url = f"http://panel.example/list?username=somebody&password={quote(password, safe='')}"
    logo = LOGO.format(f"1.png?pass={way(password)}")
    if not ("&" in password and way is quote):  # which no URL holds so
        assert not is_served(url, logo, "http://edge.example/7")


def test_a_public_list_has_no_secrets_in_its_path() -> None:
    url = "https://raw.githubusercontent.com/somebody/television/main/lists/uk.m3u"
    logo = "https://raw.githubusercontent.com/somebody/television/main/logos/1.png"
    assert is_served(url, f'tvg-logo="{logo}"', "http://edge.example/7")


# --- secrets of the links ---

LINKS = {
    "live": "http://panel.example/live/alice/s3cret9/{}.ts",
    "no extension": "http://panel.example/alice/s3cret9/{}",
    "film": "http://panel.example/movie/alice/s3cret9/{}.mkv",
    "playlist": "http://panel.example/live/alice/s3cret9/{}/index.m3u8",
    "fields": "http://panel.example/play?u=alice&p=s3cret9&id={}",
    "before the host": "http://alice:s3cret9@panel.example/{}.ts",
}


@pytest.mark.parametrize("logo", LOGOS[:4])
@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
@pytest.mark.parametrize("count", [1, 3])
def test_a_list_from_a_file_has_its_secrets_in_its_links(link: str, logo: str, count: int) -> None:
    links = [link.format(number) for number in range(1000, 1000 + count)]
    assert not is_served(FILE, LOGO.format(logo), *links)
    assert is_served(FILE, LOGO.format("bob/9secret/1.png"), *links)


@pytest.mark.parametrize(
    "link", ["http://h.example/iptv/9XT4KQ7TOKEN/{}/index.m3u8", "http://h.example/9XT4KQ7TOKEN/{}"]
)
def test_a_token_before_the_ids_is_a_secret(link: str) -> None:
    for links in ([link.format(1)], [link.format(1), link.format("two")]):
        assert not is_served(FILE, LOGO.format("9XT4KQ7TOKEN/1.png"), *links)
        assert is_served(FILE, LOGO.format("iptv/1.png"), *links)


@pytest.mark.parametrize(
    ("link", "logo"),
    [
        ("http://p/1234567/7654321/{}.ts", "1234567/7654321/1.png"),
        ("http://p/live/a.b@mail.example/pw/{}.ts", "a.b%40mail.example/1.png"),
        ("http://p/play.php?mac=00:1A:79:AA:BB:CC&id={}", "1.png?mac=00%3A1a%3A79%3Aaa%3Abb%3Acc"),
        ("http://p/ch/{}?play_token=AbC123xYz", "AbC123xYz/1.png"),
        ("http://p/{}.ts;token=AbC123xYz", "AbC123xYz/1.png"),
        ("rtmp://p/live/alice/s3cret9/{}", "alice/s3cret9.png"),
    ],
)
def test_links_of_other_panels_have_their_secrets_too(link: str, logo: str) -> None:
    for count in (1, 2):
        links = [link.format(number) for number in range(1, count + 1)]
        assert not is_served(FILE, LOGO.format(logo), *links)
        assert is_served(FILE, LOGO.format("71234567/pw.png"), *links)


def test_a_token_of_one_link_is_a_secret_of_that_link() -> None:
    links = [f"http://h.example/{n}.m3u8?token=t0k3n-{n}" for n in range(3)]
    assert not is_served(FILE, LOGO.format("1.png?token=t0k3n-0"), *links)
    assert not is_served(FILE, LOGO.format("t0k3n-0.png"), *links)


def test_a_list_of_several_accounts_has_the_secrets_of_each() -> None:
    links = [f"http://h.example/live/user{a}/pass{a}word/{n}.ts" for a in "xyz" for n in range(2)]
    assert not is_served(FILE, LOGO.format("userz/passzword/1.png"), *links)


def test_one_sources_logo_does_not_tell_anothers_password() -> None:
    first = one_channel(LOGO.format("bob/h1dden9/1.png"), "http://a.example/1.ts")
    second = one_channel("", "http://b.example/live/bob/h1dden9/1.ts")
    text = served((XTREAM, first), (FILE, second))
    assert "h1dden9" not in text
    assert "h1dden9" not in served((FILE, second), (XTREAM, first))


@pytest.mark.parametrize(
    "attribute",
    [
        'tvg-logo="http://somebody:anything@logos.example/1.png"',
        'tvg-logo="http://logos.example/1.png?user=x&password=y"',
        'http-cookie="session=abc"',
    ],
)
def test_a_login_is_one_whoever_it_is_of(attribute: str) -> None:
    assert not is_served(FILE, attribute, "http://a.example/1.ts")


# --- the log and the page know the same ---


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://h.example/get?u=john&p=abc123", "logo/1.png?u=john&p=abc123"),
        ("http://h.example/get?username=john&password=abc123", "1.png?username=john&p=abc123"),
        ("http://h.example/playlist/john/abc123/m3u_plus", "img/john/abc123/1.png"),
    ],
)
@pytest.mark.parametrize("host", ["h.example", "logos.example"])
def test_list_log_and_page_agree_on_what_the_lists_url_tells(
    url: str, told: str, host: str
) -> None:
    logo = f"http://{host}/{told}"
    text = served((url, one_channel(f'tvg-logo="{logo}"', "http://edge.example/7")))
    assert "abc123" not in text
    assert "john" not in text
    redactor = Redactor((Source(1, url, 1),), "http://proxy")
    assert redactor.tells(logo)
    assert "abc123" not in redactor.redact(f"404 for /{told}")
    assert "john" not in redactor.redact(f"404 for /{told}")


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_the_log_hides_what_the_links_told(link: str) -> None:
    links = [link.format(number) for number in (1000, 1001)]
    redactor = Redactor((Source(1, FILE, 1),), "http://proxy")
    redactor.learn(catalog_of((FILE, one_channel("", *links))).secrets)
    for text in ("refused: s3cret9", "at alice/s3cret9", "alice:s3cret9@h", "s3cr%65t9? S3CRET9"):
        assert "s3cret9" not in redactor.redact(text).lower()
    assert redactor.redact("news: source-1 plays") == "news: source-1 plays"
    assert redactor.tells("http://logos.example/s3cret9/1.png")


@pytest.mark.parametrize("text", ["/get.php?u=tv&p=1", "a?user=tv&password=1", "/tv/1/x", "tv:1@h"])
def test_the_log_hides_a_login_of_few_letters_where_it_stands(text: str) -> None:
    redactor = Redactor((Source(1, "http://h.example/list?u=tv&p=1", 1),), "http://proxy")
    told = redactor.redact(text)
    assert "tv" not in told
    assert "1" not in told
    assert redactor.redact("tv 1 plays") == "tv 1 plays"


def test_secrets_are_not_printed() -> None:
    assert "s3cret" not in repr(secrets_of_list(XTREAM))


# --- whatever is listed ---

ODD = st.text(alphabet="ab1/:@?&=;%+#|.-~ \u00e4", max_size=60)


@given(ODD, ODD)
def test_no_url_is_too_odd(url: str, text: str) -> None:
    for secrets in (secrets_of_list(f"http://{url}"), secrets_of_link(url)):
        finder = Finder(secrets)
        if finder.tells(text):
            assert finder.may_tell(text)
        finder.tells_in_words(text)
    served((f"http://{url}", f'#EXTINF:-1 tvg-logo="http://{text}",A\nhttp://{url}'))


@pytest.mark.parametrize("text", ["://" * 30_000, "?a=" * 30_000, "a" * 90_000, "%25" * 30_000])
def test_a_long_text_costs_little(text: str) -> None:
    begun = time.process_time()
    finder = Finder(Secrets(frozenset(("alice", "s3cret9")), frozenset((("alice", "s3cret9"),))))
    finder.tells(text)
    secrets_of_link(f"http://{text}")
    secrets_of_list(f"http://{text}")
    assert time.process_time() - begun < 5
