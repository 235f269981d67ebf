"""What stands by: kept from a keyframe on, given at once as far as it is owed, then as it plays."""

from __future__ import annotations

from collections.abc import Iterator

from kptv.formats.mpegts import PACKET_SIZE
from kptv.formats.mpegts.elementary import RandomAccess
from kptv.formats.mpegts.inspection import MarkKind
from kptv.formats.mpegts.inspector import Inspector
from kptv.ports import Piece, Seam
from kptv.splice.stock import ENOUGH, PROGRAMME_WAIT, SLACK, Stock
from kptv.splice.watch import Trouble
from tests.formats.ts_maker import AUD, I_SLICE, PPS, SPS, Maker

FRAME = 0.04  # seconds
MUCH = 16 * 1024 * 1024  # bytes


def stocked(stock: Stock, maker: Maker, pictures: int, since: float = 0.0) -> float:
    """Pictures that come as they play; when the last one has come."""
    now = since
    for n in range(pictures):
        now = since + n * FRAME
        stock.add(Piece(maker.picture()), now)
    return now


def given(stock: Stock, since: float, until: float) -> Iterator[tuple[float, Piece]]:
    """What is taken by whoever looks every 10 ms, and when."""
    for n in range(round((until - since) * 100) + 1):
        now = since + n / 100
        while piece := stock.take(now):
            yield now, piece


def media(data: bytes) -> list[bool]:
    """For each picture, in a stream that is read from its beginning, whether it is a keyframe."""
    inspector = Inspector()
    marks = inspector.scan(data).marks
    units = [mark.unit for mark in marks if mark.kind is MarkKind.UNIT and mark.pid == 0x100]
    assert inspector.continuity_errors == 0
    return [unit is not None and unit.key is not RandomAccess.NONE for unit in units]


def test_it_begins_with_the_tables_and_the_newest_keyframe() -> None:
    stock = Stock(MUCH, 0.0)
    now = stocked(stock, Maker(), 60)  # keyframes at 0, 1 and 2 s; now it is 2.36 s
    assert stock.ready
    stock.open(0.0, now)
    data = b"".join(piece.data for _, piece in given(stock, now, now + 1))
    pictures = media(data)
    assert len(pictures) == 10
    assert pictures[0] is True
    assert not any(pictures[1:])
    assert stock.size == 0


def test_as_much_as_viewers_are_owed_comes_at_once_and_the_rest_as_it_plays() -> None:
    stock, maker = Stock(MUCH, 0.0), Maker()
    now = stocked(stock, maker, 60)
    stock.open(0.9, now)
    first = stock.take(now)
    assert first is not None
    assert 0.9 <= len(media(first.data)) * FRAME <= 0.9 + SLACK + 0.1
    assert stock.take(now) is None
    wait = stock.wait(now)
    assert wait is not None
    assert 0 < wait <= FRAME
    for at, piece in given(stock, now + 0.01, now + 0.3):
        assert len(piece.data) < 3 * PACKET_SIZE * 6, f"at {at - now:.2f} s"


def test_the_keyframe_has_as_much_media_behind_it_as_viewers_are_owed() -> None:
    stock = Stock(MUCH, 0.0)
    now = stocked(stock, Maker(), 53)  # the newest keyframe is 0.1 s old
    stock.open(0.5, now)
    data = b"".join(piece.data for _, piece in given(stock, now, now + 2))
    assert [n for n, is_key in enumerate(media(data)) if is_key] == [0, 25]


def test_what_comes_later_follows_as_it_plays_for_good() -> None:
    stock, maker = Stock(MUCH, 0.0), Maker()
    now = stocked(stock, maker, 70)  # 0.76 s behind the last keyframe
    stock.open(0.0, now)
    parts = [piece.data for _, piece in given(stock, now, now)]
    for n in range(1, 250):
        stock.add(Piece(maker.picture()), now + n * FRAME)
        parts += [piece.data for _, piece in given(stock, now + n * FRAME, now + n * FRAME)]
        assert 0.4 < (70 + n - 50) * FRAME - len(media(b"".join(parts))) * FRAME < 0.9
    assert len(media(b"".join(parts))) > 240


def test_without_a_keyframe_it_has_nothing_and_goes_on_with_what_comes() -> None:
    stock, maker = Stock(MUCH, 0.0), Maker(gop=1000)
    maker.count = 1
    stock.add(Piece(maker.tables()), 0.0)
    now = stocked(stock, maker, 50)
    assert not stock.ready
    assert stock.size < 10 * PACKET_SIZE
    stock.open(0.0, now)
    assert stock.take(now) is None
    stock.add(Piece(maker.picture()), now + FRAME)
    assert stock.take(now + FRAME) is not None


def test_it_keeps_no_more_than_enough() -> None:
    stock, maker = Stock(MUCH, 0.0), Maker()
    for n in range(20):
        stocked(stock, maker, 25, float(n))
        assert stock.seconds <= ENOUGH + 1.1
    assert stock.size < 5 * 25 * 6 * PACKET_SIZE


def test_beyond_its_limit_it_keeps_what_is_newer_or_nothing() -> None:
    group = sum(len(Maker().picture()) for _ in range(25))
    stock, maker = Stock(2 * group, 0.0), Maker()
    stocked(stock, maker, 120)
    assert stock.ready
    assert stock.size <= 2 * group
    tight, maker = Stock(group // 2, 0.0), Maker()
    for n in range(5):
        stocked(tight, maker, 25, float(n))
        assert tight.size <= group // 2


def test_memory_that_is_needed_elsewhere_is_given_back_from_the_oldest_keyframe_on() -> None:
    stock = Stock(MUCH, 0.0)
    stocked(stock, Maker(), 60)
    sizes = [stock.size]
    while stock.drop_oldest():
        sizes.append(stock.size)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 0
    assert not stock.ready


def test_once_it_is_wanted_memory_comes_back_by_giving_all_at_once() -> None:
    stock = Stock(MUCH, 0.0)
    now = stocked(stock, Maker(), 70)
    stock.open(0.0, now)
    assert not stock.drop_oldest()
    assert stock.take(now) is not None
    assert stock.size == 0


def test_once_it_is_wanted_it_is_full_at_its_limit_and_at_once_if_memory_is_needed() -> None:
    stock, maker = Stock(10_000, 0.0), Maker()
    now = stocked(stock, maker, 26)
    assert not stock.is_full, "it forgets"
    stock.open(0.0, now)
    for _ in range(100):
        stock.add(Piece(maker.picture()), now)
    assert stock.is_full
    while stock.take(now):
        pass
    assert not stock.is_full
    stock.add(Piece(maker.picture()), now)
    assert not stock.is_full
    stock.drop_oldest()
    assert stock.is_full


def test_tables_and_starts_take_little_memory_whatever_comes() -> None:
    stock, maker = Stock(MUCH, 0.0), Maker(gop=1)
    for pmt in range(0x1000, 0x1400):
        maker.pmt = pmt
        stock.add(Piece(maker.picture()), 0.0)
    assert len(stock._tables) <= 3, "PAT, the PMT before, the PMT"
    assert 0x13FF in stock._tables
    maker.time = -3600 * maker.count  # a clock that stands still
    for _ in range(2000):
        maker.time -= 3600
        stock.add(Piece(maker.picture()), 0.0)
    assert len(stock._starts) <= 1024
    first = stock._starts[0]
    assert stock._kept[0].first <= first.number < stock._kept[0].end


def test_behind_a_long_pause_there_is_enough_for_the_next() -> None:
    stock, maker = Stock(MUCH, 0.0), Maker()
    for burst in range(4):  # six seconds at once, each six seconds
        for _ in range(150):
            stock.add(Piece(maker.picture()), burst * 6.0)
    now = 18.1
    stock.open(0.0, now)
    data = b"".join(piece.data for _, piece in given(stock, now, now + 5.9))
    assert len(media(data)) >= 140, "the next comes in 5.9 s"


def test_an_open_start_comes_with_all_that_the_splice_looks_at() -> None:
    maker = Maker(key=AUD + SPS + PPS + I_SLICE)
    stock = Stock(MUCH, 0.0)
    now = stocked(stock, maker, 55)
    stock.open(0.0, now)
    piece = stock.take(now)
    assert piece is not None
    assert len(media(piece.data)) * FRAME > 1.0


def test_radio_goes_on_from_any_frame() -> None:
    stock, maker = Stock(MUCH, 0.0), Maker(video=None)
    now = stocked(stock, maker, 100)
    assert stock.ready
    assert stock.seconds <= ENOUGH + 0.5
    stock.open(0.2, now)
    assert stock.take(now) is not None


def test_a_seam_begins_a_piece_and_what_was_made_apart_is_inspected_anew() -> None:
    stock = Stock(MUCH, 0.0)
    now = stocked(stock, Maker(), 30)
    other = Maker(video=0x200, audio=0x201, time=5_000_000)
    stock.add(Piece(other.picture(), Seam(goes_on=False)), now + FRAME)
    now = stocked(stock, other, 10, now + 2 * FRAME)
    stock.open(1.5, now)
    pieces = [piece for _, piece in given(stock, now, now + 2)]
    assert pieces[0].seam is None
    assert sum(piece.seam is not None for piece in pieces) == 1


def test_sets_that_came_before_what_is_kept_are_known() -> None:
    stock, maker = Stock(MUCH, 0.0), Maker()
    stocked(stock, maker, 10)
    assert stock.sets.known


def test_a_stream_without_anything_to_start_from_is_of_no_use() -> None:
    stock, maker = Stock(MUCH, 0.0), Maker(gop=10_000)
    maker.count = 1
    for n in range(int(PROGRAMME_WAIT) * 25):
        stock.add(Piece(maker.tables() + maker.picture()), n * FRAME)
        assert stock.trouble(n * FRAME) is None
    assert stock.trouble(PROGRAMME_WAIT + 1) is Trouble.NO_MEDIA


def test_a_slate_that_repeats_itself_is_of_no_use() -> None:
    stock = Stock(MUCH, 0.0)
    for n in range(5):
        stocked(stock, Maker(), 25, float(n))
    assert stock.trouble(5.0) is Trouble.LOOP
