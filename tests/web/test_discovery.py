"""Whoever looks for an HDHomeRun is answered, if it is near and not too often."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from typing import Any

import gevent
import pytest
from gevent import socket

from kptv.formats.hdhomerun import VariableRequest, device_id
from kptv.formats.hdhomerun_control import answer
from kptv.formats.hdhomerun_frames import (
    LONGEST_FRAME,
    FrameReader,
    read_fields,
    read_frame,
    write_field,
    write_frame,
)
from kptv.web import discovery as module
from kptv.web.discovery import (
    MOST_ANSWERS,
    MOST_CONNECTIONS,
    Announced,
    Discovery,
    PerSecond,
    may_be_answered,
)

OURS = device_id(0x123456)
TOLD = Announced(device_id=lambda: OURS, tuners=6, base_url="", host="::", port=8080)
ASKED = bytes.fromhex("0002000c0104ffffffff0204ffffffff73cc7d8f")  # as hdhomerun_config asks
LIMIT = 10.0  # seconds

Start = Callable[..., Discovery]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts one on a port that is free, for UDP and for TCP."""
    with gevent.Timeout(LIMIT), ExitStack() as stack:

        def start(told: Announced = TOLD, port: int = 0) -> Discovery:
            for _ in range(20):  # the number may be another's for TCP
                started = stack.enter_context(closing(Discovery(told, port)))
                if started._server is not None or port:
                    break
            return started

        yield start


def frame(type_: int, *fields: tuple[int, bytes]) -> bytes:
    written = write_frame(type_, b"".join(write_field(*field) for field in fields))
    assert written is not None
    return written


def asked_for(name: str) -> bytes:
    return frame(4, (3, name.encode() + b"\0"))


def packets_to(started: Discovery) -> Any:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.connect(("127.0.0.1", started.port))
    opened.settimeout(5.0)
    return closing(opened)


def connection_to(started: Discovery) -> Any:
    return closing(socket.create_connection(("127.0.0.1", started.port), timeout=5.0))


def told_by(reply: bytes | None) -> dict[int, bytes]:
    read = read_frame(reply or b"")
    assert read is not None
    assert read.type == 3
    return dict(read_fields(read.payload) or ())


# --- what is said ---


def test_whoever_asks_is_told_id_tuners_and_the_address_that_leads_here(start: Start) -> None:
    started = start()
    with packets_to(started) as packets:
        packets.send(ASKED)
        told = told_by(packets.recv(LONGEST_FRAME))
    assert told == {
        0x01: b"\0\0\0\1",
        0x02: OURS.to_bytes(4),
        0x2A: b"http://127.0.0.1:8080",
        0x10: b"\6",
        0x27: b"http://127.0.0.1:8080/lineup.json",
    }


ADDRESSES = [  # BASE_URL if it is set, HOST, what is told to this machine
    ("https://tv.example/iptv", "::", b"https://tv.example/iptv"),
    ("https://tv.example", "127.0.0.1", b"https://tv.example"),
    ("", "::", b"http://127.0.0.1:8080"),
    ("", "0.0.0.0", b"http://127.0.0.1:8080"),
    ("", "127.0.0.1", b"http://127.0.0.1:8080"),
    ("", "192.168.1.5", b"http://192.168.1.5:8080"),
    ("", "fd00::5", b"http://[fd00::5]:8080"),
]


@pytest.mark.parametrize(("base_url", "host", "told"), ADDRESSES, ids=range(len(ADDRESSES)))
def test_the_address_is_the_operators_else_our_own(
    start: Start, base_url: str, host: str, told: bytes
) -> None:
    started = start(replace(TOLD, base_url=base_url, host=host))
    assert told_by(started.reply_to(ASKED, "127.0.0.1", 0.0))[0x2A] == told


def test_if_only_this_machine_reaches_the_proxy_no_other_can_ask(start: Start) -> None:
    started = start(replace(TOLD, host="127.0.0.1"))
    assert started._packets is not None
    assert started._packets.getsockname()[0] == "127.0.0.1"
    behind_nginx = start(replace(TOLD, host="127.0.0.1", base_url="http://tv.example"))
    assert behind_nginx._packets is not None
    assert behind_nginx._packets.getsockname()[0] == "0.0.0.0"


# --- who is answered ---

UNANSWERED = {
    "nothing": b"",
    "a wrong CRC": ASKED[:-1] + b"\0",
    "short": ASKED[:-5],
    "long": ASKED + b"\0",
    "too long": ASKED + bytes(2 * LONGEST_FRAME),
    "a CRC of zeros": frame(2)[:-4] + b"\0\0\0\0",
    "a cut field": write_frame(2, b"\1\4\0\0"),
    "an odd length": write_frame(2, b"\1\3\0\0\1"),
    "another id": frame(2, (1, b"\0\0\0\1"), (2, (OURS + 1).to_bytes(4))),
    "another type": frame(2, (1, b"\0\0\0\5"), (2, b"\xff" * 4)),
    "a reply": frame(3, (1, b"\0\0\0\1"), (2, b"\xff" * 4)),
    "a variable": asked_for("/sys/model"),
    "firmware": frame(6, (1, b"\0\0\0\1")),
}


@pytest.mark.parametrize("name", UNANSWERED)
def test_what_is_no_request_for_us_is_not_answered(start: Start, name: str) -> None:
    started = start()
    assert started.reply_to(UNANSWERED[name] or b"", "127.0.0.1", 0.0) is None
    with packets_to(started) as packets:
        packets.send(UNANSWERED[name])
        packets.send(ASKED)  # the one answer is to this
        assert told_by(packets.recv(LONGEST_FRAME))[0x02] == OURS.to_bytes(4)
        packets.settimeout(0.05)
        with pytest.raises(TimeoutError):
            packets.recv(LONGEST_FRAME)
    assert started.alive


NEAR = ["127.0.0.1", "10.1.2.3", "172.16.0.9", "192.168.178.20", "169.254.7.7"]
FAR = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "240.0.0.1"]
FAR += ["2001:4860:4860::8888", "", "no address"]


@pytest.mark.parametrize("sender", NEAR)
def test_a_private_address_is_answered(start: Start, sender: str) -> None:
    started = start(replace(TOLD, base_url="http://tv.example"))
    assert may_be_answered(sender)
    assert told_by(started.reply_to(ASKED, sender, 0.0))[0x2A] == b"http://tv.example"


@pytest.mark.parametrize("sender", FAR)
def test_an_address_of_others_is_not(start: Start, sender: str) -> None:
    assert not may_be_answered(sender)
    assert start(replace(TOLD, base_url="http://tv.example")).reply_to(ASKED, sender, 0.0) is None


def test_a_peer_from_elsewhere_gets_no_answer_by_tcp(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "may_be_answered", lambda sender: False)
    with connection_to(start()) as connection:
        connection.sendall(asked_for("/sys/model"))
        with suppress(ConnectionError):
            assert connection.recv(LONGEST_FRAME) == b""


# --- how often ---


def test_there_are_no_more_answers_than_so_many_in_any_second(start: Start) -> None:
    started = start(replace(TOLD, base_url="http://tv.example"))
    senders = [f"10.0.0.{number % 250 + 1}" for number in range(1000)]
    replies = [
        started.reply_to(ASKED, sender, number / 250) for number, sender in enumerate(senders)
    ]
    answered = [number / 250 for number, reply in enumerate(replies) if reply]
    assert len(answered) == 4 * MOST_ANSWERS
    assert all(sum(at <= other < at + 1.0 for other in answered) <= 20 for at in answered)
    longest = max(len(reply or b"") for reply in replies)
    assert longest * MOST_ANSWERS < 3000, "bytes per second that anybody can make it send"


def test_who_is_not_answered_takes_nothing_from_others(start: Start) -> None:
    started = start()
    for _ in range(100):
        started.reply_to(ASKED, "8.8.8.8", 0.0)
        started.reply_to(UNANSWERED["another id"] or b"", "127.0.0.1", 0.0)
    assert started.reply_to(ASKED, "127.0.0.1", 0.0)


def test_after_each_packet_and_each_request_others_have_their_turn(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSE", 60.0)
    started = start()
    with packets_to(started) as packets, connection_to(started) as connection:
        for opened, data in ((packets, ASKED), (connection, asked_for("/sys/model") * 2)):
            opened.send(data)
            opened.send(data)
            (answered,) = FrameReader().feed(opened.recv(LONGEST_FRAME))
            assert answered.type in (3, 5)
            opened.settimeout(0.05)
            with pytest.raises(TimeoutError):
                opened.recv(LONGEST_FRAME)


def test_an_allowance_comes_back_after_a_second() -> None:
    allowance = PerSecond(2)
    assert [allowance.take(now) for now in (0.0, 0.5, 0.9, 1.0, 1.4, 1.5)] == [
        *(True, True, False),
        *(True, False, True),
    ]


# --- TCP ---


def test_variables_are_told_however_the_requests_are_cut(start: Start) -> None:
    names = ["/sys/model", "/tuner5/status", "/tuner6/status"]
    data = b"".join(map(asked_for, names))
    expected = b"".join(answer(VariableRequest(name), 6) or b"" for name in names)
    with connection_to(start()) as connection:
        for at in range(0, len(data), 7):
            connection.sendall(data[at : at + 7])
            gevent.sleep(0.001)  # a segment of its own
        received = b""
        while len(received) < len(expected):
            received += connection.recv(LONGEST_FRAME)
    assert received == expected
    assert len(FrameReader().feed(received)) == 3


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", ASKED[:-1] + b"\0", b"\0\4\xff\xff"], ids=range(3)
)
def test_a_connection_with_something_else_is_closed(start: Start, data: bytes) -> None:
    with connection_to(start()) as connection:
        connection.sendall(data)
        assert connection.recv(LONGEST_FRAME) == b""


def test_a_silent_connection_is_closed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_IDLE", 0.05)
    with connection_to(start()) as connection:
        assert connection.recv(LONGEST_FRAME) == b""


def test_a_connection_that_goes_on_and_on_is_closed(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LONGEST", 0.1)
    with connection_to(start()) as connection, suppress(ConnectionError):
        while True:
            connection.sendall(asked_for("/sys/model"))
            if not connection.recv(LONGEST_FRAME):
                break


def test_there_are_no_more_connections_than_so_many(start: Start) -> None:
    started = start()
    with ExitStack() as stack:
        held = [stack.enter_context(connection_to(started)) for _ in range(MOST_CONNECTIONS)]
        for connection in held:
            connection.sendall(asked_for("/sys/model"))
            assert connection.recv(LONGEST_FRAME)
        waiting = stack.enter_context(connection_to(started))
        waiting.sendall(asked_for("/sys/model"))
        waiting.settimeout(0.1)
        with pytest.raises(TimeoutError):
            waiting.recv(LONGEST_FRAME)
        held[3].close()
        waiting.settimeout(5.0)
        assert waiting.recv(LONGEST_FRAME)


# --- the port ---


def test_a_port_that_another_has_costs_one_line_of_the_log(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    first = start()
    caplog.clear()
    second = start(port=first.port)
    assert len(caplog.messages) == 1
    assert f"UDP port {first.port} cannot be used (Address already in use)" in caplog.text
    assert second.alive
    assert second.port == 0
    second.close()
    second.close()


def test_without_its_port_of_tcp_it_is_found_all_the_same(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(socket.create_server(("0.0.0.0", 0))) as other:
        started = start(port=other.getsockname()[1])
    assert "TCP port" in caplog.text
    with packets_to(started) as packets:
        packets.send(ASKED)
        assert told_by(packets.recv(LONGEST_FRAME))


def test_after_its_end_the_port_is_free_and_connections_are_over(start: Start) -> None:
    started = start()
    port = started.port
    with connection_to(started) as connection:
        connection.sendall(asked_for("/sys/model"))
        assert connection.recv(LONGEST_FRAME)
        started.close()
        started.close()
        assert connection.recv(LONGEST_FRAME) == b""
    gevent.idle()
    assert start(port=port).port == port
    assert started.alive, "nobody needs it any more"


def test_one_that_has_ended_or_is_stuck_is_not_alive(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = start()
    gevent.sleep(0)
    assert started.alive
    monkeypatch.setattr(module, "monotonic", lambda: 1e9)
    assert not started.alive
    monkeypatch.undo()
    assert started._greenlet is not None
    started._greenlet.kill()
    assert not started.alive


def test_while_nobody_asks_it_is_alive_and_has_nothing_to_tell(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    beats: list[float] = []
    monkeypatch.setattr(module, "_IDLE", 0.01)
    started = start()
    caplog.clear()
    monkeypatch.setattr(started._heartbeat, "beat", beats.append)
    while len(beats) < 3:
        gevent.sleep(0.005)
    assert caplog.text == ""


def test_a_fault_of_ours_ends_nothing(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    answers = iter([1, 0])
    started = start(replace(TOLD, device_id=lambda: OURS // next(answers, 1)))
    with packets_to(started) as packets, caplog.at_level(logging.ERROR):
        for _ in range(3):
            packets.send(ASKED)
        for _ in range(2):
            assert told_by(packets.recv(LONGEST_FRAME))
    assert "could not be answered" in caplog.text
    assert started.alive
