"""PCR, PTS and DTS, read, written and unwrapped."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kptv.formats.mpegts.clock import (
    WRAP,
    read_pcr,
    read_timestamp,
    unwrap,
    write_pcr,
    write_timestamp,
)
from tests.formats.ts_maker import stamp

TICKS = st.integers(0, WRAP - 1)


@given(TICKS, st.sampled_from([1, 2, 3]))
def test_a_timestamp_is_read_as_the_standard_writes_it(ticks: int, mark: int) -> None:
    assert read_timestamp(stamp(mark, ticks), 0) == ticks


@given(TICKS, TICKS, st.sampled_from([1, 2, 3]))
def test_a_written_timestamp_keeps_its_kind(before: int, ticks: int, mark: int) -> None:
    data = bytearray(stamp(mark, before))
    write_timestamp(data, 0, ticks + 3 * WRAP)
    assert bytes(data) == stamp(mark, ticks)


@given(TICKS, TICKS, st.integers(0, 299))
def test_a_written_pcr_keeps_its_extension(before: int, ticks: int, extension: int) -> None:
    data = bytearray((before << 15 | 0x7E00 | extension).to_bytes(6, "big"))
    assert read_pcr(data, 0) == before
    write_pcr(data, 0, ticks - WRAP)
    assert int.from_bytes(data, "big") == ticks << 15 | 0x7E00 | extension


@given(st.integers(-WRAP, 5 * WRAP), st.integers(1 - WRAP // 2, WRAP // 2 - 1))
def test_a_time_is_unwrapped_near_the_one_before(near: int, step: int) -> None:
    assert unwrap((near + step) % WRAP, near) == near + step
