"""A user's name and secret are found wherever applications put them, and nowhere else."""

from __future__ import annotations

import pytest

from kptv.web.credentials import ShownSecret, file_of, in_fields, in_live_path, in_own_path

MADE = "abcdefghjkmnpqrstuvw"


@pytest.mark.parametrize(
    ("path", "shown", "rest"),
    [
        (f"/u/{MADE}/playlist.m3u8", ShownSecret(MADE), "/playlist.m3u8"),
        (f"/u/{MADE}", ShownSecret(MADE), "/"),
        (f"/u/{MADE}/", ShownSecret(MADE), "/"),
        (f"//u//{MADE}//stream/a/b", ShownSecret(MADE), "//stream/a/b"),
        ("/u/anna:sesame-open/logo/x", ShownSecret("sesame-open", "anna"), "/logo/x"),
        ("/u/anna:a:b/x", ShownSecret("a:b", "anna"), "/x"),
        ("/u/:abc/x", ShownSecret("abc"), "/x"),
        (f"/u/{MADE}/u/other/x", ShownSecret(MADE), "/u/other/x"),
        (f"/u/{MADE}/a\nb", ShownSecret(MADE), "/a\nb"),
        ("/u//x", ShownSecret("x"), "/"),
        (f"/iptv/u/{MADE}/playlist.m3u8", ShownSecret(MADE), "/playlist.m3u8"),
    ],
)
def test_a_secret_in_the_path_is_taken_out_of_it(path: str, shown: ShownSecret, rest: str) -> None:
    assert in_own_path(path, "/iptv") == (shown, rest)


@pytest.mark.parametrize(
    "path", ["/", "/u", "/u/", "/U/x/y", "/un/x/y", "/./u/x/y", "/iptvu/x", "/x/u/y/z", ""]
)
def test_other_paths_stay_as_they_are(path: str) -> None:
    shown, rest = in_own_path(path, "/iptv")
    assert rest == path or (shown is not None and not shown.is_fit)


@pytest.mark.parametrize(
    "path",
    [
        "/live/anna/s3cretword/12.ts",
        "/live/anna/s3cretword/12.m3u8",
        "/live/anna/s3cretword/12",
        "/movie/anna/s3cretword/12.mp4",
        "/anna/s3cretword/12",
        "/anna/s3cretword/12.ts",
        "//anna/s3cretword/12.m3u8",
        "/iptv/live/anna/s3cretword/12.ts",
        "/iptv/anna/s3cretword/12.ts",
    ],
)
def test_the_address_of_a_stream_as_xtreams_applications_make_it_is_read(path: str) -> None:
    assert in_live_path(path, "/iptv") == ShownSecret("s3cretword", "anna")


@pytest.mark.parametrize(
    "path",
    [
        "/stream/News/24",
        "/STREAM/News/24.ts",
        "/u/x/1",
        "/profile/kids/12",
        "/auto/x/1",
        "/uk/news/playlist.m3u8",
        "/anna/secret/12.ts/x",
        "/anna/secret/x12.ts",
        "/anna/secret/12345678901",
        "/live/anna/12.ts",
        "/anna//12",
    ],
)
def test_our_own_paths_are_no_logins(path: str) -> None:
    assert in_live_path(path) is None


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("username=anna&password=s3cret", ShownSecret("s3cret", "anna")),
        ("type=m3u_plus&password=s3cret&username=anna&x", ShownSecret("s3cret", "anna")),
        ("username=anna&password=a%2Bb+c%26", ShownSecret("a+b c&", "anna")),
        ("username=anna%20&password=%20s3cret", ShownSecret("s3cret", "anna")),
        ("username=anna&username=bert&password=one&password=two", ShownSecret("one", "anna")),
        ("username=anna&password=", None),
        ("username=&password=s3cret", None),
        ("username=anna", None),
        ("Username=anna&Password=s3cret", None),
        ("&".join(["username=anna", "password=s3cret", *("x=1" for _ in range(100))]), None),
        ("", None),
    ],
)
def test_fields_of_a_query_or_a_form_are_read(query: str, shown: ShownSecret | None) -> None:
    assert in_fields(query) == shown


def test_a_file_of_xtreams_protocol_is_known_also_below_the_path_of_base_url() -> None:
    assert file_of("//player_api.php") == file_of("/iptv/player_api.php", "/iptv")
    assert file_of("/player_api.php/x") == file_of("/x/player_api.php", "/iptv") == ""


@pytest.mark.parametrize(
    ("shown", "is_fit"),
    [
        (ShownSecret(MADE), True),
        (ShownSecret(MADE, "Anna"), True),
        (ShownSecret("sesame-open", "anna"), True),
        (ShownSecret("sesame-open"), False),
        (ShownSecret("short", "anna"), False),
        (ShownSecret("a b c d e f", "anna"), False),
        (ShownSecret("sesame-open", "live"), False),
        (ShownSecret("sesame-open", "an/na"), False),
    ],
)
def test_it_is_known_what_cannot_be_a_secret(shown: ShownSecret, is_fit: bool) -> None:
    assert shown.is_fit is is_fit


def test_links_show_the_secret_and_the_name_only_where_it_is_needed() -> None:
    assert (
        ShownSecret(MADE, "anna").prefix("anna") == ShownSecret(MADE).prefix("anna") == f"/u/{MADE}"
    )
    assert ShownSecret("sesame-open", "ANNA").prefix("anna") == "/u/anna:sesame-open"
    assert "sesame" not in repr(ShownSecret("sesame-open", "anna"))
