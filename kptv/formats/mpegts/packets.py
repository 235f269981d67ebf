"""Single packets and their adaptation fields (ISO/IEC 13818-1, 2.4.3.4)."""

from __future__ import annotations

from kptv.formats.mpegts import NULL_PID, PACKET_SIZE, SYNC_BYTE
from kptv.formats.mpegts.clock import WRAP, write_timestamp

DISCONTINUITY, RANDOM_ACCESS, HAS_PCR, HAS_OPCR = 0x80, 0x40, 0x10, 0x08
NULL_PACKET = bytes((SYNC_BYTE, NULL_PID >> 8, NULL_PID & 0xFF, 0x10)) + b"\xff" * 184


def pid_of(data: bytes | bytearray, at: int) -> int:
    return (data[at + 1] << 8 | data[at + 2]) & 0x1FFF


def has_pcr(packet: bytes) -> bool:
    """Whether the packet has a PCR, which is then at offset 6."""
    return bool(packet[3] & 0x20 and packet[4] >= 7 and packet[5] & HAS_PCR)


def bare_packet(
    pid: int, counter: int, *, discontinuity: bool = False, pcr: int | None = None
) -> bytes:
    """A packet with an adaptation field only; ``counter`` is that of the packet before it."""
    flags = (DISCONTINUITY if discontinuity else 0) | (HAS_PCR if pcr is not None else 0)
    head = bytes((SYNC_BYTE, pid >> 8, pid & 0xFF, 0x20 | counter & 15, 183, flags))
    if pcr is not None:
        head += ((pcr % WRAP) << 15 | 0x7E00).to_bytes(6, "big")
    return head.ljust(PACKET_SIZE, b"\xff")


def picture_packets(pid: int, unit: bytes, pts: int, dts: int, counter: int) -> bytes:
    """An access unit to start from, in a PES packet (2.4.3.6), in packets.

    ``counter`` is that of the first packet. The last one is filled up in its adaptation field.
    """
    times = bytearray(b"\x31\0\x01\0\x01\x11\0\x01\0\x01")  # both (2.4.3.7)
    write_timestamp(times, 0, pts)
    write_timestamp(times, 5, dts)
    data = b"\x00\x00\x01\xe0\x00\x00\x80\xc0\x0a" + times + unit
    out: list[bytes] = []
    field = bytes((1, RANDOM_ACCESS))
    while data:
        room = PACKET_SIZE - 4 - len(field)
        if len(data) < room:
            field = _adaptation(PACKET_SIZE - 4 - len(data), field[1:])
        part, data = data[:room], data[room:]
        start, control = (0 if out else 0x40), (0x30 if field else 0x10)
        out.append(bytes((SYNC_BYTE, start | pid >> 8, pid & 0xFF, control | counter & 15)))
        out += [field, part]
        field, counter = b"", counter + 1
    return b"".join(out)


def _adaptation(size: int, content: bytes) -> bytes:
    """An adaptation field of so many bytes in all."""
    flags = content or b"\x00"
    return (bytes((size - 1,)) + flags.ljust(size - 1, b"\xff"))[:size]


def with_payload(packet: bytes, payload: bytes) -> bytes:
    """A packet with more payload than it had, in as many packets as that takes.

    The counters go on from that of the packet; the last packet is filled up.
    """
    size = 5 + packet[4] if packet[3] & 0x20 else 4
    counter, control = packet[3] & 15, packet[3] & 0xD0
    out = [packet[:size], payload[: PACKET_SIZE - size]]
    payload = payload[PACKET_SIZE - size :]
    while payload:
        counter += 1
        room = PACKET_SIZE - 4
        field = _adaptation(room - len(payload), b"") if len(payload) < room else b""
        flags = (control & 0xC0) | (0x30 if field else 0x10) | counter & 15
        part, payload = payload[: room - len(field)], payload[room - len(field) :]
        out += [bytes((SYNC_BYTE, packet[1] & 0x1F, packet[2], flags)), field, part]
    return b"".join(out)


def payload_of(packet: bytes) -> bytes:
    """The bytes behind the header and the adaptation field."""
    if not packet[3] & 0x10:
        return b""
    return packet[5 + packet[4] if packet[3] & 0x20 else 4 :]


def remove_pcr(data: bytearray, at: int) -> None:
    """Take the PCR out of the packet at ``at``; the fields behind it move up."""
    end = at + 5 + data[at + 4]
    data[at + 5] &= ~HAS_PCR & 0xFF
    data[at + 6 : end] = data[at + 12 : end] + b"\xff" * 6
