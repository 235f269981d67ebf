"""Transport streams made by hand: every byte of them is the test's to choose."""

from __future__ import annotations

from dataclasses import dataclass, field

from kptv.formats.mpegts.psi import ElementaryStream, Pat, Pmt, packets_of

AUD, SPS, PPS = b"\x00\x00\x01\x09\xf0", b"\x00\x00\x01\x67\x42\x00\x1e", b"\x00\x00\x01\x68\xce"
IDR = b"\x00\x00\x01\x65\xb8\x00\x00\x00\x00\x00"  # first_mb 0, slice_type 2 (I)
I_SLICE = b"\x00\x00\x01\x41\xb8\x00\x00\x00\x00\x00"
P_SLICE = b"\x00\x00\x01\x41\xc0\x00\x00\x00\x00\x00"  # slice_type 0 (P)
FRAME = 3600  # ticks at 25 a second


def stamp(mark: int, ticks: int) -> bytes:
    ticks %= 1 << 33
    bits = mark << 36 | (ticks >> 30) << 33 | 1 << 32
    bits |= (ticks >> 15 & 0x7FFF) << 17 | 1 << 16 | (ticks & 0x7FFF) << 1 | 1
    return bits.to_bytes(5, "big")


def pes(stream_id: int, payload: bytes, pts: int, dts: int | None = None, *, sized: bool) -> bytes:
    times = stamp(2, pts) if dts is None else stamp(3, pts) + stamp(1, dts)
    head = bytes((0x80, 0x80 if dts is None else 0xC0, len(times))) + times
    length = len(head) + len(payload) if sized else 0
    return b"\x00\x00\x01" + bytes((stream_id,)) + length.to_bytes(2, "big") + head + payload


@dataclass
class Maker:
    """One provider's way to send one programme."""

    video: int | None = 0x100
    audio: int | None = 0x101
    pmt: int = 0x1000
    time: int = 900_000  # DTS of the first picture
    gop: int = 25
    key: bytes = AUD + SPS + PPS + IDR
    other: bytes = AUD + P_SLICE
    random_access: bool = True
    size: int = 600  # bytes of a picture
    video_type: int = 0x1B
    audio_type: int = 0x0F
    program: int = 1
    language: bytes = b""
    scrambled: bool = False
    more: tuple[ElementaryStream, ...] = ()
    counters: dict[int, int] = field(default_factory=dict)
    count: int = 0  # pictures so far

    def packets(self, pid: int, data: bytes, *, pcr: int | None = None, key: bool = False) -> bytes:
        """A PES packet in packets; the last one is filled up in its adaptation field."""
        out = []
        start = True
        while data:
            flags = (0x10 if pcr is not None else 0) | (0x40 if key else 0)
            adaptation = b""
            if start and flags:
                adaptation = bytes((flags,))
                if pcr is not None:
                    adaptation += ((pcr % (1 << 33)) << 15 | 0x7E00).to_bytes(6, "big")
                adaptation = bytes((len(adaptation),)) + adaptation
            room = 184 - len(adaptation)
            part, data = data[:room], data[room:]
            if len(part) < room:
                missing = room - len(part)
                if adaptation:
                    adaptation += b"\xff" * missing
                elif missing == 1:
                    adaptation = b"\x00"
                else:
                    adaptation = bytes((0, 0)) + b"\xff" * (missing - 2)
                adaptation = bytes((len(adaptation) - 1,)) + adaptation[1:]
            control = (0x30 if adaptation else 0x10) | (0x80 if self.scrambled else 0)
            out.append(self.head(pid, start=start, control=control) + adaptation + part)
            start = False
        return b"".join(out)

    def head(self, pid: int, *, start: bool, control: int = 0x10) -> bytes:
        self.counters[pid] = self.counters.get(pid, -1) + (1 if control & 0x10 else 0) & 15
        return bytes(
            (0x47, pid >> 8 | (0x40 if start else 0), pid & 0xFF, control | self.counters[pid])
        )

    def tables(self) -> bytes:
        streams = []
        if self.video is not None:
            streams.append(ElementaryStream(self.video, self.video_type))
        if self.audio is not None:
            language = b"\x0a\x04" + self.language + b"\x00" if self.language else b""
            streams.append(ElementaryStream(self.audio, self.audio_type, language))
        clock = self.video if self.video is not None else self.audio
        pmt = Pmt(self.program, 0, clock or 0, (*streams, *self.more))
        out = b""
        for pid, section in (
            (0, Pat(1, 0, ((self.program, self.pmt),)).section),
            (self.pmt, pmt.section),
        ):
            self.counters[pid] = self.counters.get(pid, -1) + 1 & 15
            out += packets_of(section, pid, self.counters[pid])
        return out

    def pictures(self, count: int) -> bytes:
        """So many pictures with their sound, tables before each keyframe."""
        return b"".join(self.picture() for _ in range(count))

    def picture(self) -> bytes:
        n, dts = self.count, self.time + self.count * FRAME
        self.count += 1
        is_key = n % self.gop == 0
        out = self.tables() if is_key else b""
        pcr = dts - 9000
        if self.video is not None:
            unit = (self.key if is_key else self.other).ljust(self.size, b"\xee")
            data = pes(0xE0, unit, dts + FRAME, dts, sized=False)
            out += self.packets(self.video, data, pcr=pcr, key=is_key and self.random_access)
        if self.audio is not None and n % 2 == 0:
            data = pes(0xC0, b"\xaa" * 300, dts + FRAME, sized=True)
            pcr_here = None if self.video is not None else pcr
            out += self.packets(self.audio, data, pcr=pcr_here, key=self.video is None)
        return out

    def nulls(self, count: int) -> bytes:
        return (b"\x47\x1f\xff\x10" + b"\xff" * 184) * count
