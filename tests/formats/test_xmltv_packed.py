"""Packed guides are unpacked in bounded pieces, by what they begin with."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile

import pytest

from kptv.formats.gzipped import PIECE
from kptv.formats.xmltv.packed import BadPacking, UnpackBounds, unpacked

TEXT = b"".join(b"<programme number='%d'/>" % n for n in range(9000))


def zipped(
    *members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED, stream: bool = False
) -> bytes:
    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return not stream

        def seek(self, *_: object) -> int:  # a stream: sizes follow each member
            raise io.UnsupportedOperation

    out = Unseekable() if stream else io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


HALVES = TEXT[:100_000], TEXT[100_000:]
FORMS = {
    "plain": TEXT,
    "gzip": gzip.compress(TEXT),
    "gzip of members": b"".join(map(gzip.compress, HALVES)),
    "gzip and rubbish": gzip.compress(TEXT) + b"\0\0rubbish",
    "gzip of gzip": gzip.compress(gzip.compress(TEXT)),
    "xz": lzma.compress(TEXT),
    "xz of streams": lzma.compress(HALVES[0]) + b"\0" * 8 + lzma.compress(HALVES[1]),
    "xz and rubbish": lzma.compress(TEXT) + b"rubbish",
    "zip": zipped(("read.me", b"no guide"), ("a/guide.XML", TEXT), ("b.xml", b"another")),
    "zip, stored": zipped(("g.xml", TEXT), method=zipfile.ZIP_STORED),
    "zip as a stream": zipped(("read.me", b"no guide"), ("g.xml", TEXT), stream=True),
}


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def until_stopped(data: bytes) -> tuple[bytes, str]:
    got = bytearray()
    try:
        for piece in unpacked([data]):
            got += piece
    except BadPacking as error:
        return bytes(got), str(error)
    return bytes(got), ""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 30])
def test_each_form_is_unpacked_however_it_is_cut(form: str, size: int) -> None:
    pieces = list(unpacked(cut(FORMS[form], size)))
    assert b"".join(pieces) == TEXT
    assert max(map(len, pieces)) <= PIECE


@pytest.mark.parametrize("form", ["gzip", "xz", "zip", "zip, stored", "zip as a stream"])
def test_what_came_before_a_cut_is_good(form: str) -> None:
    data = FORMS[form]
    got, why = until_stopped(data[: len(data) // 2])
    assert why == "the compressed data ends too early"
    assert len(got) > 10_000
    assert TEXT.startswith(got)


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(TEXT)[:5000] + b"\xff" * 5000,
        lzma.compress(TEXT)[:2000] + b"\xff" * 5000,
        zipped(("g.xml", TEXT))[:5000] + b"\xff" * 5000,
        zipped(("g.xml", TEXT), method=zipfile.ZIP_BZIP2),
        zipped(("g.txt", TEXT)),
        b"PK\3\4",
    ],
)
def test_what_cannot_be_unpacked_is_told_on_one_line(data: bytes) -> None:
    with pytest.raises(BadPacking) as told:
        list(unpacked([data]))
    assert "\n" not in str(told.value)


def test_a_bomb_is_stopped_by_its_ratio_and_by_its_size() -> None:
    got, why = until_stopped(gzip.compress(b"\0" * (40 << 20)))
    assert "200 to 1" in why
    assert len(got) < 17 << 20
    with pytest.raises(BadPacking, match="larger than 1 MB"):
        list(unpacked([b"x" * (2 << 20)], UnpackBounds(size=1 << 20)))


def test_what_is_not_known_passes() -> None:
    assert b"".join(unpacked([bz2.compress(TEXT)])) == bz2.compress(TEXT)
    assert list(unpacked([])) == []
