"""Streams with several programmes through gunicorn: each list says which one is its channel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kptv.formats.mpegts.psi import Pat, packets_of
from tests.formats.ts_maker import Maker
from tests.functional.harness import Proxy
from tests.provider import Bad, Provider
from tests.provider import Stream as Served

SECONDS = 8


def _on_air(provider: Provider, folder: Path) -> Served:
    """Programmes 1, 2 and 7, whose pictures tell provider and number."""
    makers = {}
    for n in (1, 2, 7):
        says = b"<%s %d>" % (provider.name.encode(), n)
        maker = Maker(n << 8, n << 8 | 1, n << 8 | 2, program=n)
        makers[n] = replace(maker, other=maker.other + says, counters={})
    data = b"".join(
        _without_pat(maker.picture()) if n > 1 else _all_in_pat(maker.picture())
        for _ in range(SECONDS * 25)
        for n, maker in makers.items()
    )
    stream = provider.add_channel("news")
    file = folder / f"{provider.name}.ts"
    file.write_bytes(data)
    stream.play_clip(file, SECONDS)
    return stream


def _packets(stream: bytes) -> list[tuple[int, bytes]]:
    packets = [stream[at : at + 188] for at in range(0, len(stream), 188)]
    return [((packet[1] << 8 | packet[2]) & 0x1FFF, packet) for packet in packets]


def _without_pat(stream: bytes) -> bytes:
    return b"".join(packet for pid, packet in _packets(stream) if pid)


def _all_in_pat(stream: bytes) -> bytes:
    pat = Pat(1, 0, tuple((n, n << 8 | 2) for n in (1, 2, 7))).section
    return b"".join(p if pid else packets_of(pat, 0, p[3] & 15) for pid, p in _packets(stream))


def _list(folder: Path, name: str, option: str, stream: Served) -> str:
    path = folder / f"{name}.m3u"
    path.write_text(f"#EXTM3U\n#EXTINF:-1,News\n{option}\n{stream.url}\n")
    return f"{path}|1"


def test_each_source_gives_the_programme_that_its_list_asks_for_also_after_a_failover(
    start_provider: Callable[..., Provider], start_proxy: Callable[..., Proxy], tmp_path: Path
) -> None:
    one, two = start_provider("one"), start_provider("two")
    first = _on_air(one, tmp_path)
    second = _on_air(two, tmp_path)
    proxy = start_proxy(
        _list(tmp_path, "a", "#EXTVLCOPT:program=7", first),
        _list(tmp_path, "b", "#KODIPROP:inputstream.ffmpegdirect.program_number=2", second),
    )
    with proxy.viewer("News") as viewer:
        viewer.wait(lambda: b"<one 7>" in viewer.body)
        first.fail_with(404)
        first.break_now(Bad.END)
        viewer.wait(lambda: b"<two 2>" in viewer.body)
        body = bytes(viewer.body)
    assert not [n for n in (b"<one 1>", b"<one 2>", b"<two 1>", b"<two 7>") if n in body]
