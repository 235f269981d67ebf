"""The last seconds of a channel, bounded in bytes, alone and together."""

from __future__ import annotations

from kptv.restream.buffer import Budget, ChunkBuffer
from kptv.splice.joining import Chunk, StartPoint

SIZE = 188
CHUNK = Chunk(bytes(SIZE))


def keyframe(clock: float) -> Chunk:
    start = StartPoint(0, clock, b"", frozenset(), frozenset(), 0x100, None)
    return Chunk(bytes(SIZE), (start,), clock)


def test_chunks_keep_their_numbers_while_old_ones_go() -> None:
    buffer = ChunkBuffer(3 * SIZE, Budget(1 << 20))
    for number in range(10):
        buffer.append(Chunk(bytes((number,)) * SIZE))
    assert (buffer.first, buffer.end) == (7, 10)
    assert [buffer.get(number).data[0] for number in range(7, 10)] == [7, 8, 9]
    assert buffer.size == 3 * SIZE


def test_a_chunk_larger_than_the_limit_is_kept_alone() -> None:
    buffer = ChunkBuffer(100, Budget(1 << 20))
    buffer.append(CHUNK)
    buffer.append(CHUNK)
    assert (buffer.first, buffer.end) == (1, 2)


def test_a_viewer_joins_at_the_newest_keyframe_with_enough_media_behind_it() -> None:
    buffer = ChunkBuffer(1 << 20, Budget(1 << 20))
    for second in range(10):
        buffer.append(keyframe(second))
        buffer.append(CHUNK)
    buffer.append(keyframe(9))
    place = buffer.join(join_buffer=2)
    assert place is not None
    number, start = place
    assert (number, start.clock) == (14, 7)


def test_a_viewer_of_a_young_stream_joins_at_its_oldest_keyframe() -> None:
    buffer = ChunkBuffer(1 << 20, Budget(1 << 20))
    buffer.append(CHUNK)
    buffer.append(keyframe(9))
    buffer.append(keyframe(9.5))
    place = buffer.join(join_buffer=2)
    assert place is not None
    assert place[0] == 1


def test_without_a_keyframe_there_is_no_place_to_join() -> None:
    buffer = ChunkBuffer(1 << 20, Budget(1 << 20))
    assert buffer.join(2) is None
    buffer.append(CHUNK)
    assert buffer.join(2) is None


def test_all_buffers_together_keep_to_the_budget_and_the_largest_gives_way() -> None:
    budget = Budget(10 * SIZE)
    large, small = ChunkBuffer(1 << 20, budget), ChunkBuffer(1 << 20, budget)
    for _ in range(8):
        large.append(CHUNK)
    for _ in range(5):
        small.append(CHUNK)
    assert (large.size, small.size) == (5 * SIZE, 5 * SIZE)
    assert budget.used == 10 * SIZE


def test_a_closed_buffer_gives_its_bytes_back_once() -> None:
    budget = Budget(1 << 20)
    buffer = ChunkBuffer(1 << 20, budget)
    buffer.append(CHUNK)
    buffer.close()
    buffer.close()
    assert budget.used == 0
    assert buffer.first == buffer.end == 1


def test_what_the_heap_adds_to_media_is_left_free_of_a_large_budget() -> None:
    budget = Budget(1 << 20)
    buffer = ChunkBuffer(1 << 30, budget)
    for _ in range(1 << 20 >> 16):
        buffer.append(Chunk(bytes(1 << 16)))
    assert 0.9 * (1 << 20) < budget.used < 0.96 * (1 << 20)


def test_several_large_buffers_give_way_together_and_small_ones_not_at_all() -> None:
    budget = Budget(100 * SIZE)
    buffers = [ChunkBuffer(1 << 30, budget) for _ in range(4)]
    for buffer, count in zip(buffers, (40, 38, 20, 2), strict=True):
        for _ in range(count):
            buffer.append(CHUNK)
    for _ in range(20):
        buffers[3].append(CHUNK)
    assert budget.used <= 100 * SIZE
    sizes = [buffer.size // SIZE for buffer in buffers]
    assert sizes[2:] == [20, 22]
    assert abs(sizes[0] - sizes[1]) <= 1
