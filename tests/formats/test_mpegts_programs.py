"""Which of several programmes is played: the one that is asked for, else one that comes."""

from __future__ import annotations

import pytest

from kptv.formats.mpegts.inspector import Inspector
from kptv.formats.mpegts.programs import is_tables
from kptv.formats.mpegts.psi import Pat, packets_of
from tests.formats.ts_checker import check
from tests.formats.ts_hub import AlignedSplicer
from tests.formats.ts_maker import Maker

NUMBERS = (1, 2, 7)


class Multiplex:
    """Programmes 1, 2 and 7, each with a picture and a sound of its own."""

    def __init__(self, **options: object) -> None:
        self.makers = {n: Maker(n << 8, n << 8 | 1, n << 8 | 2, program=n) for n in NUMBERS}
        self.listed = list(NUMBERS)
        self.silent: set[int] = set()  # of these no media comes
        self.unlisted: set[int] = set()  # of these no PMT
        self._counter = -1

    def pictures(self, count: int) -> bytes:
        out = b""
        for n in range(count):
            if n % 25 == 0:
                pairs = tuple((number, number << 8 | 2) for number in self.listed)
                self._counter += 1
                out += packets_of(Pat(1, 0, pairs).section, 0, self._counter & 15)
            for number, maker in self.makers.items():
                data = maker.picture()
                for at in range(0, len(data), 188):
                    packet = data[at : at + 188]
                    pid = (packet[1] << 8 | packet[2]) & 0x1FFF
                    is_table = pid == number << 8 | 2
                    if pid == 0 or number in (self.unlisted if is_table else self.silent):
                        continue
                    out += packet
        return out


def played(stream: bytes, wanted: int = 0) -> list[int]:
    """The numbers of the programmes that went out, by the PIDs of their pictures."""
    splicer = AlignedSplicer()
    splicer.open(0.0, same_stream=False, program=wanted)
    out = b""
    for at in range(0, len(stream), 50_000):
        out += splicer.feed(stream[at : at + 50_000], at / 200_000).data
    report = check(out + splicer.close(len(stream) / 200_000).data)
    assert report.errors == []
    return _of(splicer, out)


def _of(splicer: AlignedSplicer, out: bytes) -> list[int]:
    program = splicer._inspector.program
    assert program is not None
    assert out
    return [program.pmt.program_number]


@pytest.mark.parametrize(("wanted", "number"), [(0, 1), (1, 1), (2, 2), (7, 7), (9, 1)])
def test_the_programme_asked_for_is_played_else_the_first(wanted: int, number: int) -> None:
    assert played(Multiplex().pictures(75), wanted) == [number]


@pytest.mark.parametrize(("wanted", "number"), [(0, 2), (1, 2), (7, 7), (9, 2)])
def test_a_programme_whose_packets_never_come_gives_way_to_the_first_that_comes(
    wanted: int, number: int
) -> None:
    multiplex = Multiplex()
    multiplex.silent = {1}
    assert played(multiplex.pictures(100), wanted) == [number]


@pytest.mark.parametrize(("wanted", "number"), [(0, 1), (7, 1), (2, 2)])
def test_a_programme_whose_table_never_comes_gives_way(wanted: int, number: int) -> None:
    multiplex = Multiplex()
    multiplex.unlisted = {7}
    assert played(multiplex.pictures(100), wanted) == [number]


def test_where_only_sound_comes_that_is_played() -> None:
    multiplex = Multiplex()
    multiplex.makers[2] = Maker(None, 0x201, 0x202, program=2)
    multiplex.silent = {1, 7}
    assert played(multiplex.pictures(120)) == [2]


def test_one_that_comes_is_not_left_because_others_come_too() -> None:
    multiplex = Multiplex()
    multiplex.makers[7].size = 100_000
    assert played(multiplex.pictures(60), wanted=2) == [2]


def test_the_one_asked_for_is_taken_once_it_is_listed() -> None:
    multiplex = Multiplex()
    multiplex.listed = [1, 2]
    stream = multiplex.pictures(50)
    multiplex.listed = [1, 2, 7]
    assert played(stream + multiplex.pictures(75), wanted=7) == [7]


def test_a_new_list_without_the_one_that_plays_goes_on_with_another() -> None:
    multiplex = Multiplex()
    stream = multiplex.pictures(50)
    multiplex.listed = [1, 2]
    assert played(stream + multiplex.pictures(75), wanted=7) == [1]


def test_a_table_that_moves_and_never_comes_is_not_waited_for_for_ever() -> None:
    multiplex = Multiplex()
    stream = multiplex.pictures(50)
    multiplex.unlisted = {7}
    pairs = ((1, 0x102), (2, 0x202), (7, 0x999))
    moved = packets_of(Pat(1, 1, pairs).section, 0, 0)
    rest = b"".join(moved + _without_pat(multiplex.pictures(25)) for _ in range(6))
    assert played(stream + rest, wanted=7) == [1]


def _without_pat(stream: bytes) -> bytes:
    packets = [stream[at : at + 188] for at in range(0, len(stream), 188)]
    return b"".join(p for p in packets if (p[1] << 8 | p[2]) & 0x1FFF)


def test_each_upstream_has_a_wish_of_its_own() -> None:
    splicer = AlignedSplicer()
    numbers = []
    for now, wanted in ((0.0, 7), (4.0, 2), (8.0, 0)):
        splicer.open(now, same_stream=False, program=wanted)
        splicer.feed(Multiplex().pictures(50), now)
        numbers += _of(splicer, b"-")
        splicer.close(now + 3)
    assert numbers == [7, 2, 1]


def test_listening_ends_with_the_first_unit() -> None:
    inspector = Inspector()
    inspector.scan(Multiplex().pictures(30))
    assert not inspector._listens


def test_tables_alone_are_told_from_media() -> None:
    maker = Maker()
    assert is_tables(maker.tables())
    assert is_tables(maker.tables() + maker.nulls(2))
    for other in (b"", maker.pictures(2), b"\x00" * 376, maker.nulls(4), maker.tables()[:-1]):
        assert not is_tables(other)
