"""Long answers: rendered once, kept compressed, sent as the client takes them. Here: JSON."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator

import gevent
import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from kptv.web.rendered import BLOCK_SIZE, Renderings, Wanted, answer, prepare

LIMIT = 30.0  # seconds that any wait may take
NUMBERS = range(20_000)  # several blocks


class Documents:
    """JSON documents, counted by how often each was rendered."""

    def __init__(self, renderings: Renderings) -> None:
        self.renderings = renderings
        self.rendered: list[str] = []
        self.word = "old"
        self.before: Callable[[], object] = lambda: None

    def wanted(self, name: str) -> Wanted | None:
        return None if name == "none" else Wanted(("document", name), lambda: self.pieces(name))

    def pieces(self, name: str) -> Iterator[bytes]:
        self.rendered.append(name)
        word = self.word
        yield b'{"word": "' + word.encode() + b'", "numbers": [0'
        for number in NUMBERS[1:]:
            if number == NUMBERS[-1]:
                self.before()
            yield b",%d" % number
        yield b"]}"

    def get(self, name: str) -> object:
        rendered = self.renderings.get(lambda: self.wanted(name))
        return None if rendered is None else json.loads(b"".join(rendered.plain()))


@pytest.fixture
def documents() -> Iterator[Documents]:
    with gevent.Timeout(LIMIT):
        yield Documents(Renderings(2, 60.0))


@pytest.fixture
def client(documents: Documents) -> FlaskClient:
    app = Flask("test")

    @app.get("/<name>.json")
    def document(name: str) -> Response:
        rendered = documents.renderings.get(lambda: documents.wanted(name))
        assert rendered is not None
        return answer(rendered, "application/json")

    return app.test_client()


def test_json_is_answered_plain_gzipped_and_not_again(
    client: FlaskClient, documents: Documents
) -> None:
    plain = client.get("/one.json")
    assert plain.content_type == "application/json"
    assert plain.json == {"word": "old", "numbers": [*NUMBERS]}
    assert plain.content_length == len(plain.data) > BLOCK_SIZE
    packed = client.get("/one.json", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.content_length == len(packed.data)
    assert gzip.decompress(packed.data) == plain.data
    again = client.get("/one.json", headers={"If-None-Match": plain.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert documents.rendered == ["one"]


def test_things_of_different_keys_are_kept_side_by_side_as_many_as_fit(
    documents: Documents,
) -> None:
    for name in ("one", "two", "one", "three", "one"):
        documents.get(name)
    assert documents.rendered == ["one", "two", "three"]
    documents.get("two")
    assert documents.rendered == ["one", "two", "three", "two"]


def test_what_is_not_to_be_kept_is_rendered_each_time() -> None:
    documents = Documents(Renderings(2, 0))
    assert documents.get("one") == documents.get("one")
    assert documents.rendered == ["one", "one"]


def test_there_is_no_rendering_of_what_is_not_found(documents: Documents) -> None:
    assert documents.get("none") is None
    assert documents.rendered == []


def test_all_who_want_it_share_one_rendering(documents: Documents) -> None:
    waiting = [gevent.spawn(documents.get, "one") for _ in range(5)]
    gevent.joinall(waiting)
    assert documents.rendered == ["one"]
    assert all(greenlet.value == waiting[0].value for greenlet in waiting)


def test_a_client_that_waits_when_everything_changes_gets_the_new_one(documents: Documents) -> None:
    def change() -> None:
        documents.before = lambda: None
        documents.word = "new"
        documents.renderings.clear()
        gevent.sleep(0)  # as a rendering does now and then

    documents.before = change
    waiting = gevent.spawn(documents.get, "one")
    waiting.join()
    assert waiting.value == {"word": "new", "numbers": [*NUMBERS]}
    assert documents.rendered == ["one", "one"]
    assert documents.get("one") == waiting.value
    assert documents.rendered == ["one", "one"]


def test_a_rendering_that_fails_is_none_and_is_tried_again(
    documents: Documents, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise RuntimeError("on purpose")

    documents.before = fail
    assert documents.get("one") is None
    assert "on purpose" in capsys.readouterr().err
    documents.before = lambda: None
    assert documents.get("one") is not None


@pytest.mark.parametrize("size", [0, 1, BLOCK_SIZE - 1, BLOCK_SIZE, 5 * BLOCK_SIZE + 1])
@pytest.mark.parametrize("step", [1000, 100_000])
def test_a_body_is_the_same_plain_and_gzipped(size: int, step: int) -> None:
    text = (b"channel %d\n" * 100_000)[:size]
    rendered = prepare(text[start : start + step] for start in range(0, size, step))
    assert b"".join(rendered.plain()) == text
    assert gzip.decompress(b"".join(rendered.gzipped())) == text
    assert rendered.length == size
    assert rendered.gzipped_length() == len(b"".join(rendered.gzipped()))
