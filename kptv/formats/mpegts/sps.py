"""Sizes and rates of pictures, and profiles, from sequence headers and parameter sets."""

from __future__ import annotations

from kptv.formats.mpegts.nal import Bits, unescape

Size = tuple[int, int]  # width and height in pixels, after cropping

# Frames per second that are met, as ISO/IEC 13818-2 numbers them (table 6-4).
RATES = (24_000 / 1001, 24.0, 25.0, 30_000 / 1001, 30.0, 50.0, 60_000 / 1001, 60.0)
_OWN_RATIO = 255  # aspect_ratio_idc: width and height follow

# Profiles whose SPS tells the chroma format (ITU-T H.264, 7.3.2.1.1).
_CHROMA_PROFILES = frozenset((100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135))


def h264_slice_type(data: bytes) -> int:
    """slice_type modulo 5 (0 P, 1 B, 2 I) of a slice NAL unit without its first byte."""
    bits = Bits(unescape(data[:16]))
    bits.golomb()  # first_mb_in_slice
    return bits.golomb() % 5


def h264_size(sps: bytes) -> Size | None:
    """The size in an SPS NAL unit without its first byte (7.3.2.1.1)."""
    return _plausible(*_read_h264_size(Bits(unescape(sps))))


def _read_h264_size(bits: Bits) -> Size:
    """Read an SPS up to its usability information."""
    _, chroma, _ = begin_h264(bits)
    bits.golomb()  # log2_max_frame_num
    _skip_picture_order(bits)
    bits.golomb()  # max_num_ref_frames
    bits.read(1)
    width = 16 * (bits.golomb() + 1)
    units = bits.golomb() + 1
    fields = 2 - bits.read(1)  # 2: a map unit is a pair of fields
    height = 16 * units * fields
    bits.read(1 if fields == 1 else 2)
    if bits.read(1):
        left, right, top, bottom = (bits.golomb() for _ in range(4))
        width -= (left + right) * (2 if chroma in (1, 2) else 1)
        height -= (top + bottom) * (2 if chroma == 1 else 1) * fields
    return width, height


def h264_frame_rate(sps: bytes) -> float | None:
    """Frames per second, if such an SPS tells them (E.1.1): a tick lasts as long as a field."""
    bits = Bits(unescape(sps))
    _read_h264_size(bits)
    if not bits.read(1):
        return None
    if bits.read(1) and bits.read(8) == _OWN_RATIO:
        bits.read(32)
    bits.read(1 if bits.read(1) else 0)
    if bits.read(1):  # video_signal_type_present_flag
        bits.read(4)
        bits.read(24 if bits.read(1) else 0)
    if bits.read(1):  # chroma_loc_info_present_flag
        bits.golomb()
        bits.golomb()
    if not bits.read(1):
        return None
    tick, scale = bits.read(32), bits.read(32)
    return scale / (2 * tick) if tick and not bits.overrun else None


def h265_size(sps: bytes) -> Size | None:
    """The size in an SPS NAL unit without its two first bytes (ITU-T H.265, 7.3.2.2)."""
    bits = Bits(unescape(sps))
    bits.read(4)
    layers = bits.read(3)
    bits.read(1 + 88 + 8)  # the general profile, tier and level
    present = [bits.read(2) for _ in range(layers)]
    bits.read(2 * (8 - layers) if layers else 0)
    for flags in present:
        bits.read((88 if flags & 2 else 0) + (8 if flags & 1 else 0))
    bits.golomb()
    chroma = bits.golomb()
    bits.read(1 if chroma == 3 else 0)
    width, height = bits.golomb(), bits.golomb()
    if bits.read(1):
        left, right, top, bottom = (bits.golomb() for _ in range(4))
        width -= (left + right) * (2 if chroma in (1, 2) else 1)
        height -= (top + bottom) * (2 if chroma == 1 else 1)
    return _plausible(width, height)


def mpeg2_size(header: bytes) -> Size | None:
    """The size in a sequence header, behind its start code (ISO/IEC 13818-2, 6.2.2.1)."""
    bits = int.from_bytes(header[:3], "big")
    return _plausible(bits >> 12, bits & 0xFFF)


def mpeg2_frame_rate(header: bytes) -> float | None:
    """Frames per second in such a header (6.3.3)."""
    code = header[3] & 15 if len(header) > 3 else 0
    return RATES[code - 1] if 0 < code <= len(RATES) else None


def begin_h264(bits: Bits) -> tuple[int, int, bool]:
    """Read an SPS up to its scaling lists: its number, chroma_format_idc, separate planes."""
    profile = bits.read(8)
    bits.read(16)
    number = bits.golomb()
    return number, *(_h264_chroma(bits) if profile in _CHROMA_PROFILES else (1, False))


def _h264_chroma(bits: Bits) -> tuple[int, bool]:
    chroma = bits.golomb()
    planes = bool(bits.read(1 if chroma == 3 else 0))
    bits.golomb()
    bits.golomb()
    bits.read(1)
    if bits.read(1):  # seq_scaling_matrix_present_flag
        for n in range(8 if chroma != 3 else 12):
            if bits.read(1):
                _skip_scaling_list(bits, 16 if n < 6 else 64)
    return chroma, planes


def _skip_scaling_list(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _skip_picture_order(bits: Bits) -> None:
    kind = bits.golomb()
    if kind == 0:
        bits.golomb()
    elif kind == 1:
        bits.read(1)
        bits.golomb()
        bits.golomb()
        for _ in range(min(bits.golomb(), 255)):
            bits.golomb()


def _plausible(width: int, height: int) -> Size | None:
    return (width, height) if 16 <= width <= 16384 and 16 <= height <= 16384 else None
