"""What servers say: heads, chunks, challenges, addresses, packed and encrypted bodies."""

from __future__ import annotations

import gzip
import http.client
import io
import zlib
from collections.abc import Sequence
from urllib.parse import urlsplit

from hypothesis import example, given
from hypothesis import strategies as st

from kptv.formats.addresses import is_below, keeping_login, resolve, scheme_of
from kptv.formats.charsets import SAMPLE, guess_encoding
from kptv.formats.data_url import data_of, is_data
from kptv.formats.digest import authorization, read_challenge
from kptv.formats.gzipped import PIECE, BadGzip, Gunzip, unpacked, whole
from kptv.formats.hls.aes import BadCipher, SegmentDecryptor
from kptv.formats.hls.container import JUNK_LIMIT, foreign_container, tag_is_there, ts_behind_junk
from kptv.formats.hls.pacing import Pacer, retry_delay
from kptv.formats.http import MAX_HEAD, chunk_size, is_whole, read_head
from kptv.formats.icy import without_metadata
from kptv.formats.identify import ENOUGH, identify
from kptv.formats.text import Lines
from kptv.upstream.answers import LenientAnswer
from tests.fuzz.inputs import CUTS, NUMBER, URL, WORD, cut, examples

_BYTES = st.one_of(WORD.map(lambda word: word.encode("utf-8", "replace")), st.binary(max_size=20))
_NAME = st.one_of(
    st.sampled_from(
        [b"Transfer-Encoding", b"Content-Length", b"content-range", b"Connection", b"Location"]
    ),
    _BYTES,
)
_SAID = st.one_of(
    _BYTES,
    st.sampled_from([b"chunked", b"gzip, chunked", b"identity", b"close", b"bytes 0-9/10"]),
    NUMBER.map(lambda text: text.encode("utf-8", "replace")),
)
_ODD_FIELD = st.builds(
    b"%b%b%b%b".__mod__,
    st.tuples(
        _NAME,
        st.sampled_from([b":", b" : ", b" ", b""]),
        _SAID,
        st.sampled_from([b"\r\n", b"\n", b"\r\n "]),
    ),
)
_FRAMING = [
    *(b"Content-Length: 5\r\n", b"content-length : 5, 5\n", b"Content-Length: 7\r\n"),
    *(b"Transfer-Encoding: gzip, chunked\r\n", b"Content-Range: bytes 0-9/10\r\n"),
]
_FIELD = st.one_of(_ODD_FIELD, st.sampled_from(_FRAMING))
_HEAD = st.builds(
    b"%b%b%b\r\n".__mod__,
    st.tuples(
        st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"ICY 200\r\n", b"HTTP/1.1 100 x\r\n", b" \r\n"]),
        st.sampled_from([b"", b"\r\n", b"Transfer-Encoding: chunked\r\n"]),
        st.lists(_FIELD, max_size=6).map(b"".join),
    ),
)
_CHUNKS = st.lists(
    st.one_of(
        _BYTES.map(lambda data: b"%x\r\n%b\r\n" % (len(data), data)),
        _BYTES.map(lambda data: b"%x;x=y\n%b\n" % (len(data), data)),
        _BYTES,
    ),
    max_size=6,
).map(b"".join)
ANSWERS = st.one_of(
    st.builds(b"".join, st.tuples(_HEAD, _CHUNKS, st.sampled_from([b"", b"0\r\n\r\n", b"0\n"]))),
    st.builds(b"".join, st.tuples(_HEAD, _HEAD, _BYTES)),
    st.binary(max_size=80),
)


class Connection:
    """A socket from which ``data`` comes."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, *_: object) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(self._data))  # type: ignore[arg-type]


@examples(200)
@given(ANSWERS, st.integers(1, 50))
def test_any_answer_is_read_to_a_body_or_refused_as_http_client_refuses(
    data: bytes, size: int
) -> None:
    answer = LenientAnswer(Connection(data), method="GET")  # type: ignore[arg-type]
    read = 0
    try:
        answer.begin()
        assert 100 <= answer.status <= 999
        assert answer.msg.skipped >= 0
        while piece := answer.read1(size):
            read += len(piece)
    except http.client.HTTPException:
        pass
    assert read <= len(data)


@examples(200)
@given(st.one_of(_BYTES, st.just(b"HTTP/1.1 200 OK\r\n")), st.lists(_FIELD, max_size=8))
def test_any_head_is_read_to_one_framing_or_is_none(first: bytes, lines: list[bytes]) -> None:
    assert len(b"".join(lines)) < MAX_HEAD
    head = read_head(first, lines)
    if head is None:
        return
    assert head.length is None or (head.length >= 0 and not head.chunked)
    for name, value in head.fields:
        assert not set(f"{name}{value}") & set("\r\n\0")
    names = [name.lower() for name, _ in head.fields]
    assert names.count("transfer-encoding") == head.chunked
    assert names.count("content-length") == (head.length is not None)
    again = read_head(first, [f"{n}: {v}\r\n".encode("latin-1") for n, v in head.fields])
    assert again is not None
    assert (again.chunked, again.length, again.skipped) == (head.chunked, head.length, 0)
    told = [value for name, value in head.fields if name.lower() == "content-range"]
    is_whole(head.status, told[0] if told else None)


@examples(100)
@given(_BYTES, st.one_of(WORD, st.builds("bytes {}-{}/{}".format, NUMBER, NUMBER, NUMBER)))
def test_any_size_and_any_range_are_numbers_or_nothing(line: bytes, told: str) -> None:
    size = chunk_size(line)
    assert size is None or 0 <= size < 1 << 60
    assert is_whole(206, told) in (True, False)


_PARAMETER = st.builds(
    '{}{}"{}"'.format,
    st.sampled_from(["realm", "nonce", "qop", "algorithm", "opaque", "stale", "x"]),
    st.sampled_from(["=", " = ", ""]),
    st.one_of(WORD, st.sampled_from(["auth", "auth-int,auth", "MD5", "SHA-256-sess", "true"])),
)


@examples(150)
@given(st.lists(st.one_of(st.sampled_from(["Digest ", "Basic "]), _PARAMETER, WORD)), WORD, WORD)
def test_any_challenge_is_answered_in_one_line_or_is_none(
    told: list[str], user: str, target: str
) -> None:
    challenge = read_challenge("Digest nonce=x, " + ",".join(told))
    if challenge is None:
        return
    answer = authorization(challenge, (user, "p"), ("GET", target), 1, "c0ffee")
    assert answer.startswith("Digest ")
    assert "response=" in answer


@examples(200)
@given(URL, URL)
def test_any_address_is_resolved_to_one_that_stays_or_cannot_be_read(base: str, told: str) -> None:
    scheme_of(told)
    assert is_below(told, base) in (True, False)
    try:
        resolved = resolve(base, told)
        once = resolve(base, resolved)  # a scheme may be put in lower case
        assert resolve(base, once) == once or not urlsplit(resolved).netloc
        keeping_login(base, resolved)
    except ValueError:
        pass


@examples(100)
@given(st.one_of(WORD, URL), st.binary(max_size=60))
def test_any_data_url_is_bytes_or_none(text: str, data: bytes) -> None:
    if is_data(url := f"data:{text}"):
        data_of(url)
    hexed = "".join(f"%{byte:02x}" for byte in data)
    assert data_of(f"data:application/octet-stream,{hexed}") == data


@examples(80)
@given(st.binary(max_size=300), st.integers(0, 400), st.binary(max_size=9), CUTS)
def test_what_is_packed_comes_out_in_bounded_pieces_whatever_is_changed_in_it(
    data: bytes, at: int, change: bytes, sizes: Sequence[int]
) -> None:
    packed = bytearray(gzip.compress(data * 400, 1) + gzip.compress(data))
    packed[at : at + len(change)] = change
    outcomes = []
    for some in ([len(packed)], sizes):
        layer, out, error = Gunzip(), b"", ""
        try:
            for piece in cut(bytes(packed), some):
                for part in layer.feed(piece):
                    assert not layer.packed or len(part) <= PIECE
                    out += part
            out += layer.finish()
        except BadGzip as bad:
            error = str(bad)
        outcomes.append((out if not error else b"", error))
    assert outcomes[0] == outcomes[1]
    assert len(whole(bytes(packed), 1000)) <= max(1000 + 2 * PIECE, len(packed))
    assert b"".join(unpacked(iter([zlib.compress(data)]))) == zlib.compress(data)


@examples(80)
@given(st.binary(max_size=200), st.binary(max_size=17), CUTS)
def test_any_encrypted_body_is_decrypted_the_same_however_it_is_cut_or_refused(
    body: bytes, key: bytes, sizes: Sequence[int]
) -> None:
    outcomes = []
    for some in (sizes, [len(body) or 1]):
        try:
            decryptor = SegmentDecryptor(key, bytes(16))
            plain = b"".join([decryptor.feed(piece) for piece in cut(body, some)])
            outcomes.append(plain + decryptor.finish())
        except BadCipher:
            outcomes.append(None)
    assert outcomes[0] == outcomes[1]


@examples(100)
@given(st.one_of(st.binary(max_size=80), st.binary(max_size=12).map(b"ID3\4\0\0".__add__)))
def test_any_head_of_a_segment_is_of_a_known_container_or_none(head: bytes) -> None:
    foreign_container(head)
    assert identify(head, final=True) is not None
    assert identify(head.ljust(ENOUGH, b"\0")) is not None
    for final in (False, True):
        at = ts_behind_junk(head, final=final)
        assert at is None or 0 <= at < len(head)
        tag_is_there(head, final=final)
    assert tag_is_there(head.ljust(JUNK_LIMIT + 700, b"\0"), final=False)


@examples(100)
@given(st.binary(max_size=2000), st.integers(256, 500), CUTS)
def test_however_a_station_is_cut_the_same_is_left_of_it(
    data: bytes, interval: int, some: Sequence[int]
) -> None:
    whole_at_once = b"".join(without_metadata((data,), interval))
    assert b"".join(without_metadata(cut(data, some), interval)) == whole_at_once


_SECONDS = st.floats(0, 1e6)


@examples(100)
@given(st.lists(st.tuples(_SECONDS, _SECONDS, _SECONDS), max_size=20), _SECONDS)
def test_no_pace_lets_more_than_a_lead_go_at_once(
    steps: list[tuple[float, float, float]], lead: float
) -> None:
    pacer, now = Pacer(lead, 0.0), 0.0
    for later, backlog, written in steps:
        now += later
        assert pacer.allowance(now, backlog) <= 10.0
        pacer.written(written)
        pacer.retime(backlog, written)


@examples(60)
@given(st.integers(0, 40), _SECONDS, st.floats(0.01, 86_400), _SECONDS)
def test_a_segment_is_never_waited_for_without_an_end(
    attempt: int, elapsed: float, target: float, in_hand: float
) -> None:
    delay = retry_delay(attempt, elapsed, target, in_hand)
    assert delay is None or delay > 0
    assert retry_delay(attempt + 1, elapsed + 4 * target + 3, target, in_hand) is None


@examples(60)
@given(st.lists(st.one_of(_BYTES, st.binary(max_size=300)), max_size=8).map(b" ".join))
@example(b"A" * (SAMPLE + 1) + b"\xe9")  # a word whose beginning tells nothing
def test_any_words_are_in_some_encoding_that_there_is(sample: bytes) -> None:
    "".encode(guess_encoding(sample))
    lines = Lines()
    lines.feed(sample + b"\n")
    lines.finish()
