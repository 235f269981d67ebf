"""Frames of sound, by their headers: how long those in a PES packet last, and their profile."""

from __future__ import annotations

from collections.abc import Callable

from kptv.formats.mpegts.clock import TICKS
from kptv.formats.mpegts.nal import Bits

_AAC_RATES = (
    *(96_000, 88_200, 64_000, 48_000, 44_100, 32_000),
    *(24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350),
)
_MPEG_RATES = (44_100, 48_000, 32_000)  # MPEG-1; half of them in MPEG-2
_MPEG_KBITS = {  # ISO/IEC 11172-3, 2.4.2.3, and 13818-3, 2.4.2.3; by (MPEG-1, layer)
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_AC3_RATES = (48_000, 44_100, 32_000)
_AC3_KBITS = (
    32,
    40,
    48,
    56,
    64,
    80,
    96,
    112,
    128,
    160,
    192,
    224,
    256,
    320,
    384,
    448,
    512,
    576,
    640,
)

_AAC_LC, _HE_AAC = 2, 5  # audio object types
_LONG_KIND = 31  # more bits of the type follow: nobody broadcasts such
_FASTEST_CORE = 24_000  # samples per second, of a core whose sound has twice as many

# A frame: its bytes, its samples, samples per second. None: no frame starts there.
_Frame = tuple[int, int, int] | None


def sound_duration(data: bytes, codec: str) -> int | None:
    """How many ticks the frames last that start in ``data``, the payload of a PES packet.

    The last frame counts whole, though it may end in the next packet. None if frames cannot be
    counted: the codec is another one, or there is no frame.
    """
    read = _READERS.get(codec)
    if read is None:
        return None
    ticks, at = 0.0, 0
    while at + 7 <= len(data):
        frame = read(data, at)
        if frame is None:
            at += 1  # a frame that started before ends here
            continue
        size, samples, rate = frame
        ticks += samples * TICKS / rate
        at += size
    return round(ticks) or None


def sound_profile(codec: str, data: bytes) -> int:
    """What the first frame in ``data`` tells a decoder to be capable of; 0: that is not known.

    Of AAC the audio object type (ISO/IEC 14496-3, table 1.17), of MPEG sound the layer.
    """
    if codec == "aac_latm":
        return _latm_profile(data)
    read = _PROFILES.get(codec)
    at = next((at for at in range(len(data) - 6) if _READERS[codec](data, at)), -1) if read else -1
    return read(data, at) if read and at >= 0 else 0


def _adts_profile(data: bytes, at: int) -> int:
    """ISO/IEC 14496-3, 1.A.2.2: the header tells the core of HE-AAC, at half the rate."""
    kind = (data[at + 2] >> 6) + 1
    halved = _AAC_RATES[data[at + 2] >> 2 & 15] <= _FASTEST_CORE
    return _HE_AAC if kind == _AAC_LC and halved else kind


def _mpeg_layer(data: bytes, at: int) -> int:
    return 4 - (data[at + 1] >> 1 & 3)


def _latm_profile(data: bytes) -> int:
    """ISO/IEC 14496-3, 1.7.2 and 1.7.3: LOAS, AudioMuxElement, StreamMuxConfig."""
    at = next(
        (at for at in range(len(data) - 9) if data[at] == 0x56 and data[at + 1] >> 5 == 7), -1
    )
    if at < 0:
        return 0
    bits = Bits(data[at + 3 : at + 32])
    same, version = bits.read(1), bits.read(1)
    if same or (version and bits.read(1)):
        return 0
    if version:
        bits.read(8 * (bits.read(2) + 1))  # taraBufferFullness
    bits.read(1 + 6 + 4 + 3)
    if version:
        bits.read(8 * (bits.read(2) + 1))  # how long the configuration is
    kind = bits.read(5)
    return 0 if kind == _LONG_KIND else kind


def _adts(data: bytes, at: int) -> _Frame:
    """ISO/IEC 14496-3, 1.A.2.2."""
    rate = data[at + 2] >> 2 & 15
    size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
    if data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0 or rate >= len(_AAC_RATES) or size < 7:
        return None
    return size, 1024 * ((data[at + 6] & 3) + 1), _AAC_RATES[rate]


def _mpeg(data: bytes, at: int) -> _Frame:
    """ISO/IEC 11172-3, 2.4.1.3."""
    layer, bits, rate = 4 - (data[at + 1] >> 1 & 3), data[at + 2] >> 4, data[at + 2] >> 2 & 3
    if data[at] != 0xFF or data[at + 1] & 0xF0 != 0xF0 or layer == 4 or rate == 3:
        return None
    if not 1 <= bits <= 14:
        return None
    is_mpeg1 = bool(data[at + 1] & 8)
    samples = 384 if layer == 1 else 576 if layer == 3 and not is_mpeg1 else 1152
    frequency = _MPEG_RATES[rate] if is_mpeg1 else _MPEG_RATES[rate] // 2
    slot = 4 if layer == 1 else 1
    kbits = _MPEG_KBITS[is_mpeg1, layer][bits - 1]
    slots = samples // 8 // slot * kbits * 1000 // frequency + (data[at + 2] >> 1 & 1)
    return slots * slot, samples, frequency


def _ac3(data: bytes, at: int) -> _Frame:
    """ETSI TS 102 366, 4.4.1 and, for E-AC-3, E.1.3.1."""
    if data[at] != 0x0B or data[at + 1] != 0x77:
        return None
    if data[at + 5] >> 3 > 10:
        return _eac3(data, at)
    rate, code = data[at + 4] >> 6, data[at + 4] & 63
    if rate == 3 or code >= 2 * len(_AC3_KBITS):
        return None
    words = _AC3_KBITS[code >> 1] * 1000 * 1536 // 16 // _AC3_RATES[rate]
    return 2 * (words + (code & 1 if rate == 1 else 0)), 1536, _AC3_RATES[rate]


def _eac3(data: bytes, at: int) -> _Frame:
    size = 2 * (((data[at + 2] & 7) << 8 | data[at + 3]) + 1)
    rate, blocks = data[at + 4] >> 6, (1, 2, 3, 6)[data[at + 4] >> 4 & 3]
    if data[at + 2] >> 6 == 1:  # a dependent substream: more channels of the same time
        return size, 0, 48_000
    if rate == 3:  # half the rates, which nobody broadcasts
        return None
    return size, 256 * blocks, _AC3_RATES[rate]


_READERS: dict[str, Callable[[bytes, int], _Frame]] = {
    "aac": _adts,
    "mp2": _mpeg,
    "ac3": _ac3,
    "eac3": _ac3,
}
_PROFILES: dict[str, Callable[[bytes, int], int]] = {"aac": _adts_profile, "mp2": _mpeg_layer}
