"""Channel lists: the oddities of the field one by one, then any text at all."""

from __future__ import annotations

import re
from time import process_time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kptv.formats.m3u import Entry, ListParser, extinf
from kptv.formats.m3u_attributes import quoted

BASE = "http://provider.example/lists/all.m3u"


def parse(text: str, base: str = BASE) -> list[Entry]:
    parser = ListParser(base)
    entries = parser.feed(text.split("\n"))
    parser.finish()
    return entries


def one(info: str, url: str = "http://a.example/1.ts") -> Entry:
    (entry,) = parse(f"#EXTM3U\n{info}\n{url}")
    return entry


def served(entry: Entry) -> str:
    return extinf(entry.name, entry.quoted)


def test_an_entry_has_name_url_and_attributes() -> None:
    entry = one('#EXTINF:-1 tvg-id="bbc1.uk" group-title="UK",BBC One')
    assert entry == Entry(
        "BBC One",
        "http://a.example/1.ts",
        ' tvg-id="bbc1.uk" group-title="UK"',
        ("UK",),
        {},
    )
    assert entry.attributes == {"tvg-id": "bbc1.uk", "group-title": "UK"}


@pytest.mark.parametrize(
    ("info", "attributes", "name"),
    [
        ("#EXTINF:-1,Plain", {}, "Plain"),
        ("#EXTINF: -1, name,with comma", {}, "name,with comma"),
        ("#EXTINF:-1 ,,Leading comma", {}, "Leading comma"),
        ("#EXTINF:0.5,Duration", {}, "Duration"),
        ('#extinf:-1 tvg-ID="A",Case', {"tvg-id": "A"}, "Case"),
        ('#EXTINF:-1 a="1, 2, 3",Commas', {"a": "1, 2, 3"}, "Commas"),
        ('#EXTINF:-1 a="x=1&y=2" b="",Equals', {"a": "x=1&y=2", "b": ""}, "Equals"),
        ('#EXTINF:-1 a="The "Best" TV" b="2",Quotes', {"a": 'The "Best" TV', "b": "2"}, "Quotes"),
        ("#EXTINF:-1 a='it's' b='2',Single", {"a": "it's", "b": "2"}, "Single"),
        ("#EXTINF:-1 a=1 b=two words c=3,Bare", {"a": "1", "b": "two words", "c": "3"}, "Bare"),
        ('#EXTINF:-1 a=HD" b="2",Half quoted', {"a": "HD", "b": "2"}, "Half quoted"),
        ('#EXTINF:-1 a="1"b="2",Joined', {"a": "1", "b": "2"}, "Joined"),
        ('#EXTINF:-1 a="1",b="2",By commas', {"a": "1", "b": "2"}, "By commas"),
        ('#EXTINF:-1 a="1" a="2",Twice', {"a": "1"}, "Twice"),
        ('#EXTINF:-1 a="" A="2",Twice, first empty', {"a": "2"}, "Twice, first empty"),
        ('#EXTINF:-1 a="1 b="2",Unclosed', {"a": "1", "b": "2"}, "Unclosed"),
        ('#EXTINF:-1 a="1,Unclosed at the end', {"a": "1"}, "Unclosed at the end"),
        ('#EXTINF:-1 a = "1" , Spaces', {"a": "1"}, "Spaces"),
        ('#EXTINF:-1 a="1" Name without comma', {"a": "1"}, "Name without comma"),
        ('#EXTINF:-1 a="1",He said "hi", twice', {"a": "1"}, 'He said "hi", twice'),
        ('#EXTINF:-1 a="1",', {"a": "1"}, None),
        ('#EXTINF:-1 tvg-name="From attribute",', {"tvg-name": "From attribute"}, "From attribute"),
        ("#EXTINF:-1,A\u2028B\x00C", {}, "A B C"),
        ('#EXTINF:-1a="X",Glued', {"a": "X"}, "Glued"),
        ("#EXTINF:-1a=X,Glued, bare", {"a": "X"}, "Glued, bare"),
        ('#EXTINF:10.5a="X" b="2",Glued, seconds', {"a": "X", "b": "2"}, "Glued, seconds"),
        ('#EXTINF:a="X",Glued, none', {"a": "X"}, "Glued, none"),
        ('#EXTINF:-1,a="X",Glued by a comma', {"a": "X"}, "Glued by a comma"),
        (
            '#EXTINF:-1 tvg-id="ox" tvg-logo"http://l.example/o.png" a="1",No equals sign',
            {"tvg-id": "ox", "tvg-logo": "http://l.example/o.png", "a": "1"},
            "No equals sign",
        ),
        ('#EXTINF:-1 "tvg-id="x" a="1",Quoted key', {"tvg-id": "x", "a": "1"}, "Quoted key"),
        ('#EXTINF:-1 a="x" "b="2",Quoted key', {"a": "x", "b": "2"}, "Quoted key"),
        ('#EXTINF:-1"a="x" b="2",Quote first', {"a": "x", "b": "2"}, "Quote first"),
        ('#EXTINF:-1 a="x"" b="2",Closed twice', {"a": "x", "b": "2"}, "Closed twice"),
        ('#EXTINF:-1 a="x"",Closed twice', {"a": "x"}, "Closed twice"),
        ('#EXTINF:-1 a=""x" b="2",Opened twice', {"a": "x", "b": "2"}, "Opened twice"),
        ('#EXTINF:-1 a="x" ",Quote last', {"a": "x"}, "Quote last"),
        ('#EXTINF:-1 a="x\' b="2",Closed otherwise', {"a": "x", "b": "2"}, "Closed otherwise"),
        ('#EXTINF:-1 a="say "hi"" b="2",Quotes', {"a": 'say "hi"', "b": "2"}, "Quotes"),
        ('#EXTINF:-1 a="The "X-Men" hour" b="2",Q', {"a": 'The "X-Men" hour', "b": "2"}, "Q"),
        ("#EXTINF:-1 a=“x” b=“2”,Typographic", {"a": "x", "b": "2"}, "Typographic"),
        (
            '#EXTINF:-1 tvg-id="x" group-title "G" a="1",Blank',
            {"tvg-id": "x", "group-title": "G", "a": "1"},
            "Blank",
        ),
        ('#EXTINF:-1 tvg-id:"x" group-title : "G",C', {"tvg-id": "x", "group-title": "G"}, "C"),
        ('#EXTINF:-1;a="x";b="2",Semicolons', {"a": "x", "b": "2"}, "Semicolons"),
        ('#EXTINF：-1 a="x"，Wide', {"a": "x"}, "Wide"),
        ("#EXTINF:-1，Wide", {}, "Wide"),
        ('#EXTINF:-1\ufeff tvg-\u200bid="x\u200e",B\ufeffB\u2060C\u200b', {"tvg-id": "x"}, "BBC"),
        ('#EXTINF:-1 a="x",شبکه\u200cنسیم', {"a": "x"}, "شبکه\u200cنسیم"),
    ],
)
def test_an_odd_line_gives_what_a_person_reads(
    info: str, attributes: dict[str, str], name: str | None
) -> None:
    entry = one(info)
    assert entry.attributes == attributes
    assert name is None or entry.name == name


@pytest.mark.parametrize("info", ['-1group-title="X"', '-1 tvg-id="ox" tvg-logo"x"', '-1"a="b"'])
def test_what_is_served_of_an_odd_line_is_read_by_those_who_know_only_plain_ones(info: str) -> None:
    entry = one(f"#EXTINF:{info},Name, of it")
    assert re.fullmatch(r'#EXTINF:-1(?: [a-z-]+="[^"]*")+,Name, of it', served(entry))
    assert one(served(entry)) == entry


@pytest.mark.parametrize(
    "line",
    [
        *(
            "#EXTGRP:#EXTGRP: X",
            "#extgrp: X",
            "#EXTGRP X",
            "#EXTGRP:#EXTGRP:#EXTGRP:X",
            "EXTGRP: X",
        ),
        *('#EXTGRP:"X"', "#EXTGRP=X"),
    ],
)
def test_a_group_is_found_however_its_line_is_written(line: str) -> None:
    entry = one(f"#EXTINF:-1,A\n{line}")
    assert (entry.groups, entry.attributes) == (("X",), {"group-title": "X"})


def test_a_group_comes_from_extgrp_too() -> None:
    assert one("#EXTINF:-1,A\n#EXTGRP:News").attributes == {"group-title": "News"}
    both = one('#EXTINF:-1 group-title="UK; Sport",A\n#EXTGRP: News')
    assert both.attributes == {"group-title": "UK; Sport"}
    assert both.groups == ("UK", "Sport", "News")


@pytest.mark.parametrize(
    "text",
    [
        "#EXTINF:-1,A\n#EXTVLCOPT:http-user-agent=UA/1 (x; y)\n"
        "#EXTVLCOPT:http-referrer=http://r.example/\nhttp://a.example/1",
        "#EXTVLCOPT:http-referrer=http://r.example/\n#EXTVLCOPT:http-user-agent=UA/1 (x; y)\n"
        "#EXTINF:-1,A\nhttp://a.example/1",
        "#EXTINF:-1,A\nhttp://a.example/1|User-Agent=UA/1 (x; y)&Referer=http://r.example/",
        "#EXTINF:-1,A\nhttp://a.example/1|user-agent=UA%2F1%20(x; y)&referer=http%3A//r.example/",
        '#EXTINF:-1 http-user-agent="UA/1 (x; y)" http-referrer="http://r.example/",A\n'
        "http://a.example/1",
        "#EXTINF:-1,A\n#KODIPROP:inputstream.adaptive.stream_headers="
        "User-Agent=UA%2F1%20(x;%20y)&Referer=http%3A%2F%2Fr.example%2F\nhttp://a.example/1",
        '#EXTINF:-1,A\n#EXTHTTP:{"user-agent": "UA/1 (x; y)", "Referer": "http://r.example/"}\n'
        "http://a.example/1",
        "#EXTINF:-1,A\n#EXTVLCOPT:http-user-agent=#EXTVLCOPT:http-user-agent=UA/1 (x; y)\n"
        "#EXTVLCOPT:http-referrer=http://r.example/\nhttp://a.example/1",
    ],
)
def test_headers_for_a_stream_come_from_every_dialect(text: str) -> None:
    (entry,) = parse(f"#EXTM3U\n{text}")
    assert entry.url == "http://a.example/1"
    assert entry.headers == {"User-Agent": "UA/1 (x; y)", "Referer": "http://r.example/"}


def test_half_a_character_in_a_json_header_costs_that_character_only() -> None:
    (entry,) = parse('#EXTM3U\n#EXTINF:-1,A\n#EXTHTTP:{"X-A": "a\\ud800"}\nhttp://a.example/1')
    assert entry.headers == {"X-A": "a?"}


def test_an_option_made_to_be_slow_is_read_at_once() -> None:
    begun = process_time()
    parse("#EXTM3U\n#EXTINF:-1,A\n#KODIPROP:" + "a=&" * 100_000 + "\nhttp://a.example/1")
    assert process_time() - begun < 2.0


def test_headers_are_of_one_entry_only() -> None:
    first, second = parse(
        "#EXTINF:-1,A\n#EXTVLCOPT:http-user-agent=UA\nhttp://a/1\n#EXTINF:-1,B\nhttp://a/2"
    )
    assert (first.headers, second.headers) == ({"User-Agent": "UA"}, {})


def test_no_header_can_break_a_request() -> None:
    url = "http://a.example/1|User-Agent=a%0d%0aHost: x&Content-Length=5&seekable=0&X-Name=Имя"
    assert one("#EXTINF:-1,A", url).headers == {
        "User-Agent": "a Host: x",
        "X-Name": "%D0%98%D0%BC%D1%8F",
    }


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("movie.m3u8", "http://provider.example/lists/movie.m3u8"),
        ("/live/1.ts", "http://provider.example/live/1.ts"),
        ("../1.ts", "http://provider.example/1.ts"),
        ("//cdn.example/1.ts", "http://cdn.example/1.ts"),
        ("udp://@239.1.1.1:1234", "udp://@239.1.1.1:1234"),
        ("239.1.1.1:1234", "239.1.1.1:1234"),
        ("plugin://plugin.video/play/?id=1", "plugin://plugin.video/play/?id=1"),
        ("pipe://ffmpeg -i http://a|b=c -f mpegts pipe:1",) * 2,
        ("http://a.example/a|b", "http://a.example/a|b"),
        ("http://[bad/1.ts", "http://[bad/1.ts"),
    ],
)
def test_an_address_is_resolved_if_it_is_relative_and_kept_if_not(url: str, expected: str) -> None:
    assert one("#EXTINF:-1,A", url).url == expected


def test_empty_segments_of_the_lists_path_stay_in_addresses_beside_it() -> None:
    (entry,) = parse("#EXTM3U\n#EXTINF:-1,One\none.ts\n", "http://h/user//list.m3u?x=1")
    assert entry.url == "http://h/user//one.ts"


def test_relative_urls_of_a_file_stand_beside_it() -> None:
    (entry,) = parse("#EXTM3U\n#EXTINF:-1,A\nclips/a.ts", "file:///srv/tv/all.m3u")
    assert entry.url == "file:///srv/tv/clips/a.ts"


def test_a_url_without_extinf_is_an_entry_and_a_separator_is_none() -> None:
    text = "#EXTM3U\nTrack1.mp4\n---UHD | 4K---\n====sudan====\nhttp://a.example/u/p/1.ts\n\n  \n"
    entries = parse(text)
    assert [entry.url for entry in entries] == [
        "http://provider.example/lists/Track1.mp4",
        "http://a.example/u/p/1.ts",
    ]
    assert entries[0].name == "Track1"


def test_a_made_up_name_tells_no_secret_and_two_streams_never_share_it() -> None:
    urls = [
        "http://h.example/user1/secret1/17.ts",
        "http://h.example/user2/secret2/17.ts",
        "http://user1:secret1@h.example",
        "http://h.example/get.php?password=secret1",
        "http://h.example/secret1/index.m3u8",
    ]
    names = [entry.name for entry in parse("\n".join(urls))]
    assert len(set(names)) == len(urls)
    assert not any("secret" in name or "user" in name for name in names)


def test_an_extinf_without_url_costs_itself_and_is_counted() -> None:
    parser = ListParser()
    entries = parser.feed(
        ["#EXTM3U", "#EXTINF:-1,A", "#EXTGRP:X", "#EXTINF:-1,B", "http://a/1", "#EXTINF:-1,C"]
    )
    parser.finish()
    assert [(entry.name, entry.groups) for entry in entries] == [("B", ())]
    assert parser.skipped == 2


def test_an_extinf_without_its_hash_is_one() -> None:
    text = '#EXTINF:-1,A\nhttp://a/1\nEXTINF:-1 tvg-id="b",B\nhttp://a/2\nextinf:-1,C\nhttp://a/3'
    assert [(entry.name, entry.url[-1]) for entry in parse(text)] == [
        ("A", "1"),
        ("B", "2"),
        ("C", "3"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "Visit http://shop.example for more channels",
        "http://shop.example is where to find more",
        "-------- News --------",
        "=====sudan====",
        "Updated on 2024-05-01, thanks to all",
        "<b>News</b>",
    ],
)
def test_a_line_that_is_neither_comment_nor_address_is_no_channel(line: str) -> None:
    for text in (f"{line}\n#EXTINF:-1,A\nhttp://a/1", f"#EXTINF:-1,A\n{line}\nhttp://a/1"):
        parser = ListParser(BASE)
        entries = parser.feed(["#EXTM3U", *text.split("\n")])
        parser.finish()
        assert [(entry.name, entry.url) for entry in entries] == [("A", "http://a/1")]
        assert parser.skipped == 1


@pytest.mark.parametrize(
    "text",
    [
        '#EXTINF:-1 tvg-id="a"\ntvg-logo="http://l/x.png" group-title="G H",Name',
        '#EXTINF:-1 tvg-id="a" tvg-logo="http://l/\nx.png" group-title="G H",Name',
        '#EXTINF:-1 tvg-id="a" tvg-logo="\nhttp://l/x.png" group-title="G H",Name',
        '#EXTINF:-1 tvg-id="a" tvg-logo="http://l/x.png" group-title="G\nH",Name',
        '#EXTINF:-1 tvg-id="a" tvg-logo="http://l/x.png" group-title="G H"\n,Name',
        '#EXTINF:-1\ntvg-id="a"\ntvg-logo="http://l/x.png"\r\ngroup-title="G H"\n,\nName',
        '#EXTINF:-1 tvg-id="a" tvg-logo="http://l/x.png" group-title="G H",\n\nName',
    ],
)
def test_an_extinf_broken_over_lines_is_put_together(text: str) -> None:
    (entry,) = parse(f"#EXTM3U\n{text}\nhttp://a.example/1.ts")
    assert entry.name == "Name"
    assert entry.attributes == {"tvg-id": "a", "tvg-logo": "http://l/x.png", "group-title": "G H"}


def test_a_broken_extinf_swallows_no_other_entry() -> None:
    text = '#EXTINF:-1 a="x\nhttp://a/1\n#EXTINF:-1,B\nhttp://a/2\n#EXTINF:-1 a="y\n#EXTINF:-1,C'
    assert [entry.url for entry in parse(f"{text}\nhttp://a/3")] == [
        "http://a/1",
        "http://a/2",
        "http://a/3",
    ]


NO_STREAMS = [
    *("[NO PUBLIC STREAM]", "http://0.0.0.0", "http://0.0.0.0:8080/live/1.ts", "rtmp://0.0.0.0/x"),
    *("http://", "https:///1.ts", "http://:8080/1.ts", "http://user:secret@/1.ts", "udp://@"),
    *("http://127.0.0.1", "http://localhost/", "http://[::1]", "http://[::]/1.ts", "udp://0.0.0.0"),
    *("about:blank", "N/A", "none", "null", "-", "(offline)", "no-stream", "/dev/null", "#", "..."),
    *("0.0.0.0", "0.0.0.0:8080", "0.0.0.0/1.ts", "000.000.000.000", "127.0.0.1", "localhost"),
    *("http://none", "http://dummy/", "http://nostream.invalid/1.ts", "HTTP://0.0.0.0|Referer=x"),
]


@pytest.mark.parametrize("address", NO_STREAMS)
def test_what_stands_where_there_is_no_stream_is_none(address: str) -> None:
    parser = ListParser(BASE)
    lines = ["#EXTM3U", "#EXTINF:-1,A", address, "#EXTINF:-1,B", "http://b/1", address]
    entries = parser.feed(lines)
    parser.finish()
    assert [entry.name for entry in entries] == ["B"]
    assert parser.skipped == (1 if address == "#" else 2)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "http://127.0.0.1:6878/ace/getstream?id=1",
            "http://127.0.0.1/1.ts",
            "http://localhost:99",
        ),
        *("udp://0.0.0.0:1234", "udp://@:1234", "srt://:9000?mode=listener", "udp:@239.1.1.1:1"),
        *("http://0.pool.example/1", "http://none.example/1", "http://dummy:8080/1", "http://a"),
        *("http://a.example/my film.ts", "rtmp://a/app playpath=x swfUrl=y", "stream1", "0/1.m3u8"),
    ],
)
def test_what_may_be_a_stream_is_an_address(address: str) -> None:
    (entry,) = parse(f"#EXTM3U\n#EXTINF:-1,A\n{address}")
    assert entry.url.endswith(address)


@pytest.mark.parametrize("none", ["[NO PUBLIC STREAM]", "http://0.0.0.0", "0.0.0.0", "no link"])
def test_what_is_no_stream_ends_no_row_of_addresses(none: str) -> None:
    text = f"#EXTM3U\n#EXTINF:-1,A\n{none}\nhttp://a/1\n{none}\nhttp://a/2"
    assert [(e.name, e.url[-1]) for e in parse(text)] == [("A", "1"), ("A", "2")]


def test_several_addresses_under_one_extinf_are_one_channels() -> None:
    text = """#EXTM3U
#EXTINF:-1 tvg-id="a" group-title="G",A
#EXTVLCOPT:http-user-agent=UA
http://a.example/1.ts

http://b.example/1.ts
#EXTVLCOPT:http-user-agent=Other
#http://c.example/off.ts
c/1.ts
#EXTINF:-1,B
http://a.example/2.ts"""
    first, *others, last = parse(text)
    assert first.headers == {"User-Agent": "UA"}
    assert others == [
        first._replace(url="http://b.example/1.ts"),
        first._replace(url="http://provider.example/lists/c/1.ts", headers={"User-Agent": "Other"}),
    ]
    assert (last.name, last.headers) == ("B", {})


def test_an_address_that_no_extinf_announces_has_its_own_channel_behind_any_other_line() -> None:
    for line in ("# Title", "##EXTINF:-1,B", "#EXT-X-STREAM-INF:BANDWIDTH=1", "---", "#EXTM3U"):
        first, second = parse(f"#EXTM3U\n#EXTINF:-1,A\nhttp://a/1\n{line}\nhttp://a/2")
        assert first.name == "A"
        assert second.name != "A", line


def test_several_addresses_share_a_name_that_was_made_up() -> None:
    first, second = parse("#EXTINF:-1,\nhttp://a/u/p/1.ts\nhttp://b/u/p/2.ts")
    assert first.name == second.name != ""


def test_prose_and_html_hold_no_entries() -> None:
    assert parse("<html><body>\n<a href='http://x/'>Login</a>\n</body></html>") == []
    assert parse("Invalid_credentials.") == []
    assert parse('{"user_info":{"auth":0}}') == []


def test_attributes_of_the_list_are_kept_for_the_guide() -> None:
    parser = ListParser()
    parser.feed(['#EXTM3U x-tvg-url="http://a/1.xml, http://a/2.xml" url-tvg=b', "#EXTM3U c='3'"])
    assert parser.headers == {
        "x-tvg-url": "http://a/1.xml, http://a/2.xml",
        "url-tvg": "b",
        "c": "3",
    }


@pytest.mark.parametrize(
    ("heads", "headers"),
    [
        (['#EXTM3U url-tvg="http://a/?p=1" tvg-shift="+3"'], ("http://a/?p=1", "+3")),
        (['#EXTM3U:url-tvg="http://a" tvg-shift=-1'], ("http://a", "-1")),
        (['#EXTM3U url-tvg=""', '#EXTM3U url-tvg="http://a"'], ("http://a", "")),
        (['#EXTM3U url-tvg="http://a" tvg-shift="1"', '#EXTM3U url-tvg="b"'], ("http://a, b", "1")),
        (['#EXTM3U url-tvg="http://a"', '#EXTM3U URL-TVG="http://a"'], ("http://a", "")),
    ],
)
def test_the_guides_of_all_heads_of_a_list_are_kept(
    heads: list[str], headers: tuple[str, str]
) -> None:
    parser = ListParser()
    for head in heads:
        parser.feed([head, "#EXTINF:-1,A", "http://a/1"])
    assert (parser.headers["url-tvg"], parser.headers.get("tvg-shift", "")) == headers


def test_heads_without_an_end_are_kept_in_bounds() -> None:
    parser = ListParser()
    parser.feed([f'#EXTM3U url-tvg="http://guide.example/{n}" key{n}="1"' for n in range(20_000)])
    assert len(parser.headers) <= 64
    assert len(parser.headers["url-tvg"]) < 66_000


def test_an_attribute_that_could_break_out_does_not() -> None:
    line = extinf('The "Best"', quoted({"tvg-name": 'a" tvg-id="b', "group-title": "it's"}))
    assert line == ("#EXTINF:-1 tvg-name=\"a' tvg-id='b\" group-title=\"it's\",The 'Best'")


UNITS = [
    *(" ", '"', "'", '" ', "a", "a ", "a=", 'a="', "a=' ", "a-", 'a-b"', 'a-b" ', ",", ',"', "\t,"),
    *("a.ts?", "/", ".", "a.", "%", "|a=", "&a=", ";", "(", "-", "=", "@", ":", "0.", "a.invalid."),
    *("\u200b", "\u200d", "ا\u200d", "❤\u200d", "\x00", "\u2028", "#EXTGRP:", "#EXTVLCOPT:", "no-"),
]
BROKEN = '#EXTINF:-1 a="http://x\n"{}x'
PLACES = [
    *("#EXTINF:-1 {} x,N", '#EXTINF:-1 a="{},N', '#EXTINF:-1 a=x{}",N', "#EXTINF:-1,{}x", BROKEN),
    *("#EXTGRP:{}x", "#EXTVLCOPT:http-user-agent={}x", "#EXTHTTP:{}x", "#{} x", "EXTINF:{}x", "{}"),
    *("#KODIPROP:inputstream.adaptive.stream_headers={}x", "{} x", "http://{} x", "http://a|{}x"),
    *("udp://{} x", "file:{}x", "#EXTM3U {} x"),
]


@pytest.mark.parametrize("place", PLACES)
def test_a_line_of_60_kb_made_to_be_slow_is_read_at_once(place: str) -> None:
    begun = process_time()
    for unit in UNITS:
        parse(f"#EXTM3U\n{place.format(unit * (60_000 // len(unit)))}\nhttp://a/1")
    assert process_time() - begun < 20.0  # half a second; a quadratic one alone takes minutes


NASTY = st.text(
    st.one_of(
        st.sampled_from("\"',=:;|#/\\ \t\r\0\u2028\u0085&%{}"),
        st.sampled_from("abİſ1.-é中"),
    ),
    max_size=30,
)
LIST_LINES = st.lists(
    st.one_of(
        NASTY,
        st.builds("#EXTINF:{}{},{}".format, NASTY, NASTY, NASTY),
        st.builds('#EXTINF:-1 tvg-id="{}" {}="{}",{}'.format, NASTY, NASTY, NASTY, NASTY),
        st.builds("#EXTGRP:{}".format, NASTY),
        st.builds("#EXTVLCOPT:http-user-agent={}".format, NASTY),
        st.builds("#KODIPROP:inputstream.adaptive.stream_headers={}".format, NASTY),
        st.builds("#EXTHTTP:{}".format, NASTY),
        st.builds("#EXTM3U {}".format, NASTY),
        st.builds("http://a.example/{}|{}".format, NASTY, NASTY),
        st.text(),
    ),
    max_size=12,
)


@pytest.mark.parametrize("said", ['" News"', "News ", '" News "', '"\x85News"', '="News\u3000"'])
def test_a_group_line_gives_its_group_without_the_quotes_and_blanks_around(said: str) -> None:
    (entry,) = parse(f"#EXTM3U\n#EXTINF:-1,One\n#EXTGRP:{said}\nhttp://a.example/1")
    assert (entry.groups, entry.attributes["group-title"]) == (("News",), "News")


@given(LIST_LINES)
@example(['#EXTGRP:"News "', "http://a.example/1"])
@example(['#EXTGRP:"\x851', "A://"])
@example(['#EXTINF:-1 tvg-id="" ";="2",One', "http://a.example/1"])
def test_no_text_raises_and_what_is_rendered_parses_back_to_the_same(lines: list[str]) -> None:
    for entry in parse("\n".join(lines)):
        line = extinf(entry.name, entry.quoted)
        assert not set(line) & set("\r\n\0\u2028\u2029")
        (again,) = parse(f"{line}\nhttp://proxy.example/stream/a")
        assert again.name == entry.name.replace('"', "'")
        assert again.attributes == {
            key: value.replace('"', "'") for key, value in entry.attributes.items()
        }
        assert extinf(again.name, again.quoted) == line


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("#EXTVLCOPT:program=7", 7),
        ("#EXTVLCOPT: program = 7", 7),
        ("#EXTVLCOPT:#EXTVLCOPT:program=7", 7),
        ("#EXTVLCOPT::program=7", 7),
        ("#EXTVLCOPT:programs=7,8", 7),
        ("#KODIPROP:program_number=7", 7),
        ('#KODIPROP:inputstream.ffmpegdirect.program_number="7"', 7),
        ("#extvlcopt:PROGRAM=65535", 65535),
        ("#EXTVLCOPT:program=0", 0),
        ("#EXTVLCOPT:program=65536", 0),
        ("#EXTVLCOPT:program=999999", 0),
        ("#EXTVLCOPT:program=-1", 0),
        ("#EXTVLCOPT:programme=7", 0),
        ("#EXTVLCOPT:http-user-agent=program=7", 0),
        ("#EXTGRP:program=7", 0),
    ],
)
def test_the_programme_that_an_entry_wants_is_known(line: str, number: int) -> None:
    first, second = ListParser().feed(
        ["#EXTM3U", "#EXTINF:-1,A", line, "http://a/1", "#EXTINF:-1,B", "http://a/2"]
    )
    assert (first.program, second.program) == (number, 0)


def test_letters_that_become_several_in_capitals_are_no_extinf() -> None:
    assert [entry.name for entry in parse("#EXTIN\ufb01:-1,A\n#EXTINF:-1,B\nhttp://a/1")] == ["B"]
