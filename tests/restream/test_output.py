"""What viewers get while something feeds the programme, and while nothing does; told the time."""

from __future__ import annotations

from kptv.channels.model import Source, Stream
from kptv.config import DEFAULT_SLATE
from kptv.formats.mpegts import NULL_PID
from kptv.formats.mpegts.packets import pid_of
from kptv.formats.mpegts.seam import SPLICE
from kptv.ports import Piece
from kptv.restream.buffer import Budget, ChunkBuffer
from kptv.restream.output import Output
from kptv.splice.segments import FIRST, Cutter
from tests.formats.ts_checker import check
from tests.formats.ts_maker import Maker
from tests.restream.radio import AUDIO_PID, FRAME_TICKS, Radio, marks

FRAME = FRAME_TICKS / 90_000  # seconds
AAC, MP2 = 0x0F, 0x03  # stream types
A, B = (Stream(Source(n, "", 1), f"http://{n}/") for n in (1, 2))


class Rig:
    def __init__(self, clip: bytes = b"") -> None:
        self.buffer = ChunkBuffer(1 << 24, Budget(1 << 24))
        self.wakes = 0
        self.now = 100.0
        self.output = Output(self.buffer, clip, self.now, self._wake)

    def _wake(self) -> None:
        self.wakes += 1

    def play(self, radio: Radio, *names: bytes) -> None:
        for name in names:
            self.output.feed(Piece(radio.frame(name)), self.now)
            self.now += FRAME

    def wait(self, seconds: float) -> None:
        """Time passes, with a tick twice a second."""
        for _ in range(round(seconds * 2)):
            self.now += 0.5
            self.output.tick(self.now)

    @property
    def received(self) -> bytes:
        """All that viewers were given."""
        chunks = range(self.buffer.first, self.buffer.end)
        return b"".join(self.buffer.get(number).data for number in chunks)

    def pids(self) -> set[int]:
        data = self.received
        return {pid_of(data, at) for at in range(0, len(data), 188)}


def test_nothing_goes_out_before_the_first_media() -> None:
    rig = Rig(DEFAULT_SLATE.read_bytes())
    rig.output.open(A, rig.now)
    rig.wait(3)
    rig.output.close(rig.now)
    rig.wait(30)
    assert rig.received == b""
    assert not rig.output.playable


def test_the_first_media_is_told_once() -> None:
    rig, radio = Rig(), Radio()
    rig.output.open(A, rig.now)
    told = [rig.output.feed(Piece(radio.frame(b"%d" % n)), rig.now) for n in range(5)]
    assert told.count(True) == 1
    assert rig.output.playable
    assert rig.wakes > 0


def test_an_upstream_is_starting_until_its_first_keyframe_is_whole() -> None:
    rig, maker = Rig(), Maker(audio=None, size=2000)
    tables, first, second = maker.tables(), maker.picture(), maker.picture()
    states = []
    rig.output.open(A, rig.now)
    for packets in (tables, first[:-188], first[-188:], second, maker.pictures(3)):
        rig.output.feed(Piece(packets), rig.now)
        states.append(rig.output.starting)
    assert states == [False, True, True, False, False]
    rig.output.close(rig.now)
    assert not rig.output.starting


def test_after_a_second_of_silence_viewers_get_tables_and_null_packets() -> None:
    rig, radio = Rig(), Radio()
    rig.output.open(A, rig.now)
    rig.play(radio, b"a", b"b")
    rig.wait(0.5)
    assert NULL_PID not in rig.pids()
    before = len(rig.received)
    rig.wait(4)
    assert NULL_PID in rig.pids()
    assert 0 < len(rig.received) - before < 20_000, "at a low rate"
    rig.play(radio, b"c")
    assert marks(rig.received) == [b"a", b"b", b"c"]
    assert not check(rig.received).errors


def test_after_five_seconds_without_an_upstream_a_slate_plays_until_one_comes_back() -> None:
    rig = Rig(DEFAULT_SLATE.read_bytes())
    rig.output.open(A, rig.now)
    rig.play(Radio(), b"a", b"b")
    rig.output.close(rig.now)
    rig.wait(4.5)
    small = len(rig.received)
    rig.wait(6)
    assert len(rig.received) > small + 5_000
    rig.output.open(B, rig.now)
    rig.play(Radio(base=77), b"c", b"d", b"e")
    assert marks(rig.received) == [b"a", b"b", b"c", b"d", b"e"]
    assert not check(rig.received).errors


def listed(data: bytes) -> set[int]:
    """The stream types of all tables in it."""
    return {kind for _, _, kinds in check(data).pmts for kind in kinds.values()}


def test_listeners_of_radio_get_the_sound_of_the_slate_only() -> None:
    rig = Rig(DEFAULT_SLATE.read_bytes())
    rig.output.open(A, rig.now)
    rig.play(Radio(), b"a", b"b")
    rig.output.close(rig.now)
    rig.wait(20)
    rig.output.open(B, rig.now)
    rig.play(Radio(base=77), b"c", b"d", b"e")
    report = check(rig.received)
    assert not report.errors
    assert len(report.pmts) == 1, "players need not look for their stream again"
    assert listed(rig.received) == {AAC}
    assert len(report.dts[AUDIO_PID]) > 14 * 2
    assert len(report.pcrs) > 14 * 10


def test_listeners_of_another_sound_than_the_slates_are_only_held() -> None:
    rig, maker = Rig(DEFAULT_SLATE.read_bytes()), Maker(video=None, audio_type=MP2)
    rig.output.open(A, rig.now)
    rig.output.feed(Piece(maker.pictures(50)), rig.now)
    rig.output.close(rig.now)
    rig.wait(20)
    assert not rig.output.on_slate
    assert listed(rig.received) == {MP2}
    assert NULL_PID in rig.pids()


def test_players_of_hls_have_a_segment_of_the_slate_before_they_give_up() -> None:
    """Some do 3.5 target durations after the last new one, and ask once in a target duration."""
    rig, cutter = Rig(DEFAULT_SLATE.read_bytes()), Cutter(2.0, begun=FIRST)
    rig.output.open(A, rig.now)
    rig.output.feed(Piece(Maker().pictures(60)), rig.now)
    rig.output.close(rig.now)
    since, place, segments = rig.now, 0, 0
    while segments < 3 and rig.now < since + 20:
        for number in range(place, rig.buffer.end):
            segments += len(cutter.feed(number, rig.buffer.get(number)))
        if rig.buffer.is_parted(rig.buffer.end):
            segments += len(cutter.end())
        place = rig.buffer.end
        rig.wait(0.5)
    assert segments == 3  # two of the upstream
    assert rig.now - 0.5 - since <= 6.0


def test_viewers_of_pictures_get_the_slates() -> None:
    rig = Rig(DEFAULT_SLATE.read_bytes())
    rig.output.open(A, rig.now)
    rig.output.feed(Piece(Maker().pictures(50)), rig.now)
    rig.output.close(rig.now)
    rig.wait(20)
    assert rig.output.on_slate
    report = check(rig.received)
    assert len(report.pmts) == 1
    assert len(report.dts[0x100]) > 14 * 24


def test_the_figures_are_those_of_the_upstream_also_while_the_slate_plays() -> None:
    rig = Rig(DEFAULT_SLATE.read_bytes())
    rig.output.open(A, rig.now)
    rig.play(Radio(), b"a", b"b")
    assert rig.output.sending
    rig.output.close(rig.now)
    before = rig.output.stats
    rig.wait(20)
    assert rig.output.on_slate
    assert not rig.output.sending
    assert rig.output.stats == before
    rig.output.open(B, rig.now)
    assert not rig.output.on_slate
    assert rig.output.stats.packets == 0


def test_no_slate_plays_while_an_upstream_is_open() -> None:
    rig = Rig(DEFAULT_SLATE.read_bytes())
    rig.output.open(A, rig.now)
    rig.play(Radio(), b"a", b"b")
    rig.wait(20)
    assert len(rig.received) < 60_000


def test_a_slate_that_is_no_stream_leaves_the_filler() -> None:
    rig = Rig(b"no transport stream at all" * 1000)
    rig.output.open(A, rig.now)
    rig.play(Radio(), b"a", b"b")
    rig.output.close(rig.now)
    rig.wait(10)
    assert NULL_PID in rig.pids()


def test_a_splice_within_a_stream_goes_on_with_another_clock() -> None:
    rig = Rig()
    rig.output.open(A, rig.now)
    rig.play(Radio(), b"a", b"b")
    rig.output.cross(SPLICE, rig.now)
    rig.play(Radio(base=5_000_000), b"c", b"d")
    assert marks(rig.received) == [b"a", b"b", b"c", b"d"]
    assert not check(rig.received).errors


def test_the_longest_gap_between_two_pieces_is_known() -> None:
    rig, radio = Rig(), Radio()
    rig.output.open(A, rig.now)
    rig.play(radio, b"a", b"b")
    rig.now += 1.5
    rig.play(radio, b"c")
    assert 1.4 < rig.output.expected_pause(rig.now) < 1.7
