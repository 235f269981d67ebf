"""Single packets and their adaptation fields (ISO/IEC 13818-1, 2.4.3.4)."""

from __future__ import annotations

from kptv.formats.mpegts import NULL_PID, PACKET_SIZE, SYNC_BYTE
from kptv.formats.mpegts.clock import WRAP

DISCONTINUITY, RANDOM_ACCESS, HAS_PCR, HAS_OPCR = 0x80, 0x40, 0x10, 0x08
NULL_PACKET = bytes((SYNC_BYTE, NULL_PID >> 8, NULL_PID & 0xFF, 0x10)) + b"\xff" * 184


def pid_of(data: bytes | bytearray, at: int) -> int:
    return (data[at + 1] << 8 | data[at + 2]) & 0x1FFF


def bare_packet(
    pid: int, counter: int, *, discontinuity: bool = False, pcr: int | None = None
) -> bytes:
    """A packet with an adaptation field only; its counter is that of the packet before it."""
    flags = (DISCONTINUITY if discontinuity else 0) | (HAS_PCR if pcr is not None else 0)
    head = bytes((SYNC_BYTE, pid >> 8, pid & 0xFF, 0x20 | counter & 15, 183, flags))
    if pcr is not None:
        head += ((pcr % WRAP) << 15 | 0x7E00).to_bytes(6, "big")
    return head.ljust(PACKET_SIZE, b"\xff")


def payload_of(packet: bytes) -> bytes:
    """What is behind the header and the adaptation field."""
    if not packet[3] & 0x10:
        return b""
    return packet[5 + packet[4] if packet[3] & 0x20 else 4 :]


def remove_pcr(data: bytearray, at: int) -> None:
    """Take the PCR out of the packet at ``at``; what follows it in the field moves up."""
    end = at + 5 + data[at + 4]
    data[at + 5] &= ~HAS_PCR & 0xFF
    data[at + 6 : end] = data[at + 12 : end] + b"\xff" * 6
