"""Relative addresses as RFC 3986 resolves them."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest

from kptv.formats.addresses import keeping_login, resolve, same_server

# RFC 3986, 5.4.1 and 5.4.2, beside http://a/b/c/d;p?q
EXAMPLES = {
    "g": "http://a/b/c/g",
    "./g": "http://a/b/c/g",
    "g/": "http://a/b/c/g/",
    "/g": "http://a/g",
    "//g": "http://g",
    "?y": "http://a/b/c/d;p?y",
    "g?y": "http://a/b/c/g?y",
    "#s": "http://a/b/c/d;p?q#s",
    "g#s": "http://a/b/c/g#s",
    "g?y#s": "http://a/b/c/g?y#s",
    ";x": "http://a/b/c/;x",
    "g;x": "http://a/b/c/g;x",
    "g;x?y#s": "http://a/b/c/g;x?y#s",
    "": "http://a/b/c/d;p?q",
    ".": "http://a/b/c/",
    "./": "http://a/b/c/",
    "..": "http://a/b/",
    "../": "http://a/b/",
    "../g": "http://a/b/g",
    "../..": "http://a/",
    "../../": "http://a/",
    "../../g": "http://a/g",
    "../../../g": "http://a/g",
    "../../../../g": "http://a/g",
    "/./g": "http://a/g",
    "/../g": "http://a/g",
    "g.": "http://a/b/c/g.",
    ".g": "http://a/b/c/.g",
    "g..": "http://a/b/c/g..",
    "./../g": "http://a/b/g",
    "./g/.": "http://a/b/c/g/",
    "g/./h": "http://a/b/c/g/h",
    "g/../h": "http://a/b/c/h",
    "g;x=1/../y": "http://a/b/c/y",
    "g?y/./x": "http://a/b/c/g?y/./x",
    "http:g": "http://a/b/c/g",  # for backward compatibility
    "udp://@239.0.0.1:5000": "udp://@239.0.0.1:5000",
}


@pytest.mark.parametrize("reference", EXAMPLES)
def test_the_examples_of_the_standard_come_out_as_it_says(reference: str) -> None:
    base = "http://a/b/c/d;p?q"
    assert resolve(base, reference) == EXAMPLES[reference]
    if reference:  # of which urljoin drops the fragment only
        assert urljoin(base, reference) == EXAMPLES[reference]


@pytest.mark.parametrize(
    ("base", "reference", "resolved"),
    [
        ("http://h/live//7/list.m3u8", "a.ts", "http://h/live//7/a.ts"),
        ("http://h//live/list.m3u8", "../a.ts", "http://h//a.ts"),
        ("http://h/live//", "a.ts", "http://h/live//a.ts"),
        ("http://h/live//list.m3u8", "../a.ts", "http://h/live/a.ts"),
        ("http://h/x/list.m3u8", "b//a.ts", "http://h/x/b//a.ts"),
        ("http://h/x/list.m3u8", "/b//a.ts", "http://h/b//a.ts"),
        ("http://h", "a.ts", "http://h/a.ts"),
        ("http://h?a/b", "a.ts", "http://h/a.ts"),
        ("http://u:p@h:81/x/y?a=/../", "z", "http://u:p@h:81/x/z"),
        ("rtmp://h/live//x", "y", "rtmp://h/live//y"),
        ("file:///srv//tv/list.m3u", "a.ts", "file:///srv//tv/a.ts"),
        ("https://h/x", "//other//y", "https://other//y"),
    ],
)
def test_empty_segments_of_a_path_stay(base: str, reference: str, resolved: str) -> None:
    assert resolve(base, reference) == resolved


@pytest.mark.parametrize("reference", ["http://[bad/", "//[bad/", "http://[::1"])
def test_what_cannot_be_read_is_a_value_error(reference: str) -> None:
    with pytest.raises(ValueError, match="Invalid IPv6"):
        resolve("http://h/", reference)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://h/a", "http://H:80/b", True),
        ("http://u:p@h/a", "http://h/b", True),
        ("https://h/", "https://h:443/", True),
        ("http://h/", "https://h/", True),
        ("https://h/", "http://h/", False),
        ("http://h:81/", "https://h/", False),
        ("http://h/", "http://h:81/", False),
        ("http://h/", "http://h.example/", False),
        ("http://h/", "rtsp://h/", False),
        ("http://h/", "http://u@evil/@h/", False),
    ],
)
def test_a_server_is_a_scheme_a_host_and_a_port(one: str, other: str, same: bool) -> None:
    assert same_server(one, other) is same


@pytest.mark.parametrize(
    ("url", "target", "kept"),
    [
        ("http://u:p%40@h/a", "http://h/b?c#d", "http://u:p%40@h/b?c#d"),
        ("http://u:p@h/a", "http://x:y@h/b", "http://x:y@h/b"),
        ("http://u:p@h/a", "http://other/b", "http://other/b"),
        ("http://h/a@b", "http://h/b", "http://h/b"),
    ],
)
def test_user_and_password_stay_with_their_server(url: str, target: str, kept: str) -> None:
    assert keeping_login(url, target) == kept
