"""An IDR picture of H.264, made of an intra picture that is none.

An encoder with open groups of pictures starts each with an intra picture and a recovery point,
and may never send an IDR. Spliced behind other pictures, such a start resets nothing: the decoder
mixes up its frame numbers with those of the stream before, and drops pictures that seem to come
late, up to half of the range in which pictures are numbered. So we send the picture twice. First
it is an IDR, which ends all that was before. Then it comes unchanged, so that the frame numbers
behind it still match. If its frame_num is 0, as that of an IDR is, the IDR alone suffices.

Sections are those of ITU-T H.264.
"""

from __future__ import annotations

from dataclasses import dataclass

from kptv.formats.mpegts.nal import Bits, escape, unescape, units
from kptv.formats.mpegts.sps import begin_h264

_SLICE, _IDR, _SPS, _PPS, _DELIMITER, _SPS_MORE = 1, 5, 7, 8, 9, 13
_INTRA = 2  # slice_type modulo 5
_IDR_ID = "00101"  # idr_pic_id 4 as ue(v): of two IDR in a row it has to differ
_HEAD = 64  # bytes: slice headers are shorter


@dataclass(frozen=True, slots=True)
class _Sequence:
    """The fields of an SPS that slice headers depend on (7.3.2.1.1)."""

    planes: bool
    number_bits: int
    order_type: int
    order_bits: int
    order_deltas: bool
    fields: bool  # a picture may be one field


@dataclass(frozen=True, slots=True)
class _Picture:
    """The fields of a PPS that slice headers depend on (7.3.2.2)."""

    sequence: _Sequence
    cabac: bool
    bottom_order: bool
    deblocking: bool
    redundant: bool


@dataclass(frozen=True, slots=True)
class _Header:
    """The fields of a slice header that change, and at which bits they are."""

    picture: _Picture
    number: int  # frame_num
    order: int  # pic_order_cnt_lsb
    number_at: int
    order_at: int
    marking_at: int  # dec_ref_pic_marking
    rest_at: int  # behind that
    end: int


@dataclass(frozen=True, slots=True)
class Idr:
    """An access unit to send before the one that it was made of, or ``instead`` of it."""

    unit: bytes
    instead: bool


def idr_of(unit: bytes) -> Idr | None:
    """The access unit as an IDR picture.

    None if it brings no parameter sets, is a field, or is not intra throughout.
    """
    sequences: dict[int, _Sequence] = {}
    pictures: dict[int, _Picture] = {}
    out: list[bytes] = []
    numbers: set[int] = set()
    for at, end in units(unit):
        nal = unit[at:end].rstrip(b"\x00")
        kind = nal[0] & 0x1F if nal else 0
        if kind == _SPS:
            _read_sequence(unescape(nal[1:]), sequences)
        elif kind == _PPS:
            _read_picture(unescape(nal[1:]), sequences, pictures)
        elif kind == _SLICE:
            changed = _slice_of_idr(nal, pictures)
            if changed is None:
                return None
            nal, number = changed
            numbers.add(number)
        if kind in (_SLICE, _SPS, _PPS, _DELIMITER, _SPS_MORE):
            out.append(b"\x00\x00\x00\x01" + nal)
    return Idr(b"".join(out), instead=numbers == {0}) if numbers else None


def _read_sequence(data: bytes, sequences: dict[int, _Sequence]) -> None:
    bits = Bits(data)
    number, _, planes = begin_h264(bits)
    number_bits = bits.golomb() + 4
    order_type = bits.golomb()
    order_bits, deltas = 0, False
    if order_type == 0:
        order_bits = bits.golomb() + 4
    elif order_type == 1:
        deltas = not bits.read(1)
        bits.golomb()
        bits.golomb()
        for _ in range(min(bits.golomb(), 255)):
            bits.golomb()
    bits.golomb()  # max_num_ref_frames
    bits.read(1)
    bits.golomb()
    bits.golomb()
    fields = not bits.read(1)
    if not bits.overrun and number_bits <= 16 and order_bits <= 16:
        sequences[number] = _Sequence(planes, number_bits, order_type, order_bits, deltas, fields)


def _read_picture(
    data: bytes, sequences: dict[int, _Sequence], pictures: dict[int, _Picture]
) -> None:
    bits = Bits(data)
    number, sequence = bits.golomb(), sequences.get(bits.golomb())
    cabac, bottom_order = bool(bits.read(1)), bool(bits.read(1))
    groups = bits.golomb()
    bits.golomb()
    bits.golomb()
    bits.read(3)
    for _ in range(3):
        bits.signed()
    deblocking = bool(bits.read(1))
    bits.read(1)
    redundant = bool(bits.read(1))
    if sequence and not groups and not bits.overrun:  # slice groups: nobody broadcasts them
        pictures[number] = _Picture(sequence, cabac, bottom_order, deblocking, redundant)


def _slice_of_idr(nal: bytes, pictures: dict[int, _Picture]) -> tuple[bytes, int] | None:
    """A slice with the header that it has in an IDR picture (7.3.3), and the frame_num it had.

    Its macroblocks stay as they are.
    """
    data = unescape(nal[1:]).rstrip(b"\x00")  # cabac_zero_words
    old = _read_slice(data, pictures) if nal[0] & 0x60 else None
    if old is None:
        return None
    sequence = old.picture.sequence
    bits = "".join([f"{byte:08b}" for byte in data[:_HEAD]])
    head = [
        bits[: old.number_at],
        "0" * sequence.number_bits,
        bits[old.number_at + sequence.number_bits : old.order_at],
        _IDR_ID,
        _order_of_idr(old.order, sequence.order_bits, instead=not old.number),
        bits[old.order_at + sequence.order_bits : old.marking_at],
        "00",  # show what came before, and be no long-term reference
        bits[old.rest_at : old.end],
    ]
    body = _joined("".join(head), data, old.end, cabac=old.picture.cabac)
    return bytes((nal[0] & 0x60 | _IDR,)) + escape(body), old.number


def _read_slice(data: bytes, pictures: dict[int, _Picture]) -> _Header | None:
    """None if it is of a field, is not intra, or refers to parameter sets that are not here."""
    bits = Bits(data[:_HEAD])
    bits.golomb()  # first_mb_in_slice
    kind, picture = bits.golomb() % 5, pictures.get(bits.golomb())
    if kind != _INTRA or picture is None:
        return None
    sequence = picture.sequence
    bits.read(2 if sequence.planes else 0)
    number_at = bits.at
    number = bits.read(sequence.number_bits)
    if sequence.fields and bits.read(1):
        return None
    order_at = bits.at
    order = bits.read(sequence.order_bits)
    _skip_order(bits, picture)
    marking_at = bits.at
    _skip_marking(bits)
    rest_at = bits.at
    bits.signed()  # slice_qp_delta
    if picture.deblocking and bits.golomb() != 1:
        bits.signed()
        bits.signed()
    if bits.overrun:
        return None
    return _Header(picture, number, order, number_at, order_at, marking_at, rest_at, bits.at)


def _order_of_idr(order: int, bits: int, *, instead: bool) -> str:
    """pic_order_cnt_lsb that puts the IDR before the pictures behind it (8.2.1.1).

    The next one has this ``order``; if the IDR is sent ``instead`` of that one, those behind it
    follow. Orders should not be negative: frames that a decoder makes up for missing ones have 0.
    """
    if not bits:
        return ""
    half = 1 << bits - 1
    if instead:
        value = half if half < order <= half + half // 2 else order
    else:
        value = max(0, order - half) if order else half
    return f"{value:0{bits}b}"


def _skip_order(bits: Bits, picture: _Picture) -> None:
    """Skip the fields behind the order of the picture, as far as they are there."""
    sequence = picture.sequence
    if sequence.order_type == 1 and sequence.order_deltas:
        bits.signed()
    if picture.bottom_order and (sequence.order_type == 0 or sequence.order_deltas):
        bits.signed()
    if picture.redundant:
        bits.golomb()


def _skip_marking(bits: Bits) -> None:
    """Skip dec_ref_pic_marking of a picture that is no IDR (7.3.3.3)."""
    if not bits.read(1):
        return
    while (operation := bits.golomb()) and not bits.overrun:
        if operation != 5:
            bits.golomb()
        if operation == 3:
            bits.golomb()


def _joined(head: str, data: bytes, at: int, *, cabac: bool) -> bytes:
    """A slice header as bits, and behind it the slice data, which starts at bit ``at``."""
    if cabac:  # slice data is aligned to bytes, by bits that are 1 (7.3.4)
        head += "1" * (-len(head) % 8)
        return int(head, 2).to_bytes(len(head) // 8, "big") + data[-(-at // 8) :]
    size = len(data) * 8 - at
    rest = int.from_bytes(data, "big") & ((1 << size) - 1)
    spare = (rest & -rest).bit_length() - 1 if rest else 0  # behind the stop bit
    bits = (int(head, 2) << size | rest) >> spare
    length = len(head) + size - spare
    pad = -length % 8
    return (bits << pad).to_bytes((length + pad) // 8, "big")
