"""The last seconds of a channel, bounded in bytes, alone and together."""

from __future__ import annotations

from kptv.restream.buffer import JOIN_AGE, Budget, ChunkBuffer

CHUNK = bytes(188)


def test_chunks_keep_their_numbers_while_old_ones_go() -> None:
    buffer = ChunkBuffer(3 * len(CHUNK), Budget(1 << 20))
    for number in range(10):
        buffer.append(bytes((number,)) * 188, now=0)
    assert (buffer.first, buffer.end) == (7, 10)
    assert [buffer.get(number)[0] for number in range(7, 10)] == [7, 8, 9]
    assert buffer.size == 3 * 188


def test_a_chunk_larger_than_the_limit_is_kept_alone() -> None:
    buffer = ChunkBuffer(100, Budget(1 << 20))
    buffer.append(CHUNK, 0)
    buffer.append(CHUNK, 0)
    assert (buffer.first, buffer.end) == (1, 2)


def test_a_viewer_joins_two_seconds_back() -> None:
    buffer = ChunkBuffer(1 << 20, Budget(1 << 20))
    for second in range(10):
        buffer.append(CHUNK, now=second)
    assert buffer.join(now=9) == 9 - JOIN_AGE


def test_a_viewer_of_a_young_stream_joins_at_its_oldest_chunk() -> None:
    buffer = ChunkBuffer(1 << 20, Budget(1 << 20))
    buffer.append(CHUNK, now=9)
    buffer.append(CHUNK, now=9.5)
    assert buffer.join(now=10) == 0


def test_all_buffers_together_keep_to_the_budget_and_the_largest_gives_way() -> None:
    budget = Budget(10 * 188)
    large, small = ChunkBuffer(1 << 20, budget), ChunkBuffer(1 << 20, budget)
    for _ in range(8):
        large.append(CHUNK, 0)
    for _ in range(5):
        small.append(CHUNK, 0)
    assert (large.size, small.size) == (5 * 188, 5 * 188)
    assert budget.used == 10 * 188


def test_a_closed_buffer_gives_its_bytes_back_once() -> None:
    budget = Budget(1 << 20)
    buffer = ChunkBuffer(1 << 20, budget)
    buffer.append(CHUNK, 0)
    buffer.close()
    buffer.close()
    assert budget.used == 0
    assert buffer.first == buffer.end == 1
