"""What viewers receive over failovers is one transport stream that never breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.formats.ts_clips import complaints, decoding_complaints, probed_errors
from tests.functional.failing import assert_nothing_leaked, note
from tests.functional.harness import Proxy
from tests.functional.tapes import (
    RATE,
    VIDEO,
    Show,
    Tape,
    h264,
    h265,
    mpeg2,
    pictures,
    radio,
    record,
)
from tests.provider import Bad, Provider, Stream

pytestmark = pytest.mark.requires("ffmpeg", "ffprobe")

# Ten failovers: each kind of ending on both providers.
ENDINGS = [Bad.END, Bad.RESET, Bad.RESET, Bad.SILENCE, Bad.SILENCE]
ENDINGS += [Bad.GARBAGE, Bad.GARBAGE, Bad.SHORT_BODY, Bad.SHORT_BODY, Bad.END]
GAP = RATE / 5  # pictures; more would be seen as a freeze
LINEUP: dict[str, tuple[Callable[[], Show], Callable[[], Show]]] = {
    "h264": (lambda: h264(25), lambda: h264(40, 0x200)),
    "h265": (lambda: h265(30), lambda: h265(20, 0x200)),
    "mpeg2": (lambda: mpeg2(12), lambda: mpeg2(15, 0x200)),
    "radio": (lambda: radio(), lambda: radio(0x200)),
    "mixed": (lambda: h264(25), lambda: h265(30, 0x200)),
}


@dataclass(frozen=True, slots=True)
class Stage:
    one: Provider
    two: Provider
    proxy: Proxy
    shows: dict[str, tuple[Show, Show]]
    tapes: dict[str, Tape]


@pytest.fixture(scope="module")
def stage(
    share_provider: Callable[..., Provider],
    share_proxy: Callable[..., Proxy],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("shows")
    one, two = share_provider("one"), share_provider("two")
    shows = {name: (first(), second()) for name, (first, second) in LINEUP.items()}
    streams: dict[str, tuple[Stream, Stream]] = {
        name: (
            pair[0].on_air(one.add_channel(name), folder),
            pair[1].on_air(two.add_channel(name), folder),
        )
        for name, pair in shows.items()
    }
    proxy = share_proxy(
        (one, 0),
        (two, 0),
        STALL_TIMEOUT="1s",
        STREAM_LINGER="0",
        RETRY_DELAY="200ms",
        MAX_FAILURES_BEFORE_BLOCK="1000",
    )
    with ThreadPoolExecutor(len(LINEUP)) as pool:  # side by side: each is real time
        found = {
            name: pool.submit(record, proxy, streams[name], pair[0], ENDINGS)
            for name, pair in shows.items()
        }
        tapes = {name: future.result() for name, future in found.items()}
    yield Stage(one, two, proxy, shows, tapes)
    assert_nothing_leaked(proxy, one, two)


@pytest.mark.parametrize("name", LINEUP)
def test_ten_failovers_leave_no_error_in_the_stream(stage: Stage, name: str) -> None:
    """Sync, continuity, PES packets, DTS and PCR by a checker that knows nothing of kptv."""
    tape = stage.tapes[name]
    assert tape.report.errors == []
    assert probed_errors(tape.data) == []


@pytest.mark.parametrize("name", LINEUP)
def test_a_decoder_has_nothing_to_say_of_ten_failovers(stage: Stage, name: str) -> None:
    tape = stage.tapes[name]
    assert complaints(tape.data) == ""
    assert decoding_complaints(tape.data) == ""


@pytest.mark.parametrize("name", [name for name in LINEUP if name != "radio"])
def test_every_picture_that_was_sent_is_decoded(stage: Stage, name: str) -> None:
    tape = stage.tapes[name]
    sent = sum(len(tape.report.dts[pid]) for pid in tape.pids(*VIDEO))
    assert pictures(tape.data) == sent


@pytest.mark.parametrize("name", [name for name in LINEUP if name != "radio"])
def test_the_clock_goes_on_where_pictures_ended(stage: Stage, name: str) -> None:
    """However long a failover took: a jump would have players stand still for it."""
    tape = stage.tapes[name]
    gaps = [round(media * RATE) for media, _ in tape.lost()]
    note(f"{name}: gaps in the programme, in pictures: {gaps}")
    assert len(gaps) <= len(ENDINGS)
    assert max(gaps, default=0) < GAP


@pytest.mark.parametrize("name", LINEUP)
def test_media_never_runs_ahead_of_time(stage: Stage, name: str) -> None:
    ahead = stage.tapes[name].most_ahead()
    note(f"{name}: {ahead:.2f} s ahead")
    assert ahead <= 1.0


@pytest.mark.parametrize("name", LINEUP)
def test_it_is_one_programme_all_the_time(stage: Stage, name: str) -> None:
    pmts = stage.tapes[name].report.pmts
    assert len({number for number, _, _ in pmts}) == 1
    if name != "mixed":
        assert len(pmts) == 1
    versions = [version for _, version, _ in pmts]
    assert versions == [(versions[0] + step) % 32 for step in range(len(pmts))]
