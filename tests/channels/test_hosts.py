"""Hosts of links, and the one where most of a list lead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kptv.channels import hosts
from kptv.channels.hosts import HostCount, host_of


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://Panel.example/live/u/p/1.ts", "panel.example"),
        ("http://panel.example:80/1", "panel.example"),
        ("https://panel.example:443?id=http://other/", "panel.example"),
        ("http://panel.example:8080/1", "panel.example:8080"),
        ("http://u:p%40@panel.example#x", "panel.example"),
        ("http://[2001:db8::1]:8080/1", "[2001:db8::1]:8080"),
        ("udp://@239.0.0.1:5000", "239.0.0.1:5000"),
        ("rtsp://cam.example/1", "cam.example"),
        ("no address", ""),
    ],
)
def test_the_host_of_a_link(url: str, host: str) -> None:
    assert host_of(url) == host
    count = HostCount()
    count.add([url, url])
    assert count.most == host


def test_more_than_half_of_the_links_make_the_host_of_most() -> None:
    count = HostCount()
    count.add(f"http://a.example/{n}" for n in range(50))
    count.add(f"http://b.example/{n}" for n in range(50))
    assert count.most == ""
    count.add(["https://A.example:443/last"])
    assert count.most == "a.example"


def test_it_is_found_among_a_hundred_thousand_others_wherever_it_stands() -> None:
    others = [f"http://host-{n}.example/1" for n in range(100_000)]
    most = ["http://most.example/1"] * 101_000
    for urls in (others + most, most + others):
        count = HostCount()
        count.add(urls)
        assert count.most == "most.example"
        assert len(count._counts) <= 256
    count = HostCount()
    count.add(others)
    assert count.most == ""


def test_a_list_without_links_has_none() -> None:
    assert HostCount().most == ""


URLS = [
    "http://a/1",
    "http://a/2",
    "HTTP://A:80/3",
    "http://b",
    "http://b/x",
    "udp://@a:5",
    "/c",
    "d",
    "\n",
]


@given(
    st.lists(st.sampled_from([*URLS, "http:///", *(f"https://{n}/x" for n in range(9))])),
    st.integers(1, 9),
)
def test_links_that_begin_alike_count_as_any_others(urls: list[str], step: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(hosts, "_COUNTED", 3)
        count = HostCount()
        for start in range(0, len(urls), step):
            count.add(urls[start : start + step])
    counts: dict[str, int] = {}
    lost = 0
    for host in map(host_of, urls):
        counts[host] = counts.get(host, 0) + 1
        if len(counts) > 3:
            lost += 1
            counts = {host: n - 1 for host, n in counts.items() if n > 1}
    assert (count._counts, count._lost, count._links) == (counts, lost, len(urls))
