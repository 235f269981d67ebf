"""Long answers: rendered once, kept compressed, sent as the client takes them. Here: JSON."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator

import gevent
import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from kptv.channels.users.model import User
from kptv.web import rendered as rendered_module
from kptv.web.caller import CALLER, Caller, CallerKind
from kptv.web.rendered import (
    BLOCK_SIZE,
    OWN_BASE,
    TAG_KEY,
    Rendered,
    Renderings,
    Wanted,
    answer,
    new_mark,
    prepare,
)

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


# --- what each caller has of its own ---

MARK = OWN_BASE.encode()
BASES = ["http://tv.example/u/aaaa", "http://tv.example/iptv/u/ännä:longer-than-others", "x", ""]


def marked(gaps: Iterable[int]) -> bytes:
    """Marks with so many bytes before each."""
    return b"".join([b"." * gap + MARK for gap in gaps]) + b"end"


def cut(text: bytes, step: int) -> Iterator[bytes]:
    return (text[start : start + step] for start in range(0, len(text), step))


@pytest.mark.parametrize("off", range(-len(MARK) - 1, 2))
def test_an_own_base_is_put_in_wherever_blocks_end(off: int) -> None:
    text = marked([BLOCK_SIZE + off, 0, 5, BLOCK_SIZE - 5 - 2 * len(MARK)])
    rendered = prepare(cut(text, BLOCK_SIZE))
    assert rendered.marks == {MARK: 4}
    for base in BASES:
        told = text.replace(MARK, base.encode())
        assert b"".join(rendered.plain(base)) == told
        assert rendered.plain_length(base) == len(told)
        assert gzip.decompress(b"".join(rendered.gzipped(base))) == told


@pytest.mark.parametrize("step", [1, 7, len(MARK) - 1, len(MARK), len(MARK) + 1, 1000])
def test_marks_are_counted_however_the_pieces_are_cut(step: int) -> None:
    text = marked([0, 3, 0, 200]) + MARK[:-1]  # what looks like one at the end is none
    rendered = prepare(cut(text, step))
    assert rendered.marks == {MARK: 4}
    assert b"".join(rendered.plain("base")) == text.replace(MARK, b"base")
    assert rendered.length == len(text)


OTHER = new_mark()


@pytest.mark.parametrize("step", [1, len(MARK) - 1, len(MARK), 1000, BLOCK_SIZE])
def test_there_may_be_several_marks_beside_each_other(step: int) -> None:
    text = (b"." * (BLOCK_SIZE - 20) + MARK + OTHER.encode() + b"x" + OTHER.encode()) * 3
    rendered = prepare(cut(text, step))
    told = text.replace(MARK, b"base").replace(OTHER.encode(), b"a much longer one" * 4)
    more = {OTHER: "a much longer one" * 4}
    assert b"".join(rendered.plain("base", more)) == told
    assert rendered.plain_length("base", more) == len(told)
    assert gzip.decompress(b"".join(rendered.gzipped("base", more))) == told
    tags = {rendered.digest_for("base", {OTHER: other}) for other in ("a", "b", "a")}
    assert len(tags) == 2


def ask(
    rendered: Rendered, caller: Caller, base: str, key: bytes | None = None, **headers: str
) -> TestResponse:
    app = Flask("test")
    if key is not None:
        app.extensions[TAG_KEY] = lambda: key
    app.add_url_rule("/", "it", lambda: answer(rendered, "text/plain", base))
    return app.test_client().get("/", headers=headers, environ_overrides={CALLER: caller})


ANNA = Caller(CallerKind.USER, User(id=1, name="anna"), 1, "/u/secret-of-anna")


def test_an_answer_with_an_own_base_is_private_and_its_tag_is_nobody_elses() -> None:
    rendered = prepare(iter([marked([10, 20])]))
    one, other = ask(rendered, ANNA, "one"), ask(rendered, ANNA, "other")
    assert one.data == rendered_with(rendered, "one")
    assert one.content_length == len(one.data)
    assert one.headers["Cache-Control"] == "private, no-store"
    assert (
        one.headers["ETag"] != other.headers["ETag"] == ask(rendered, ANNA, "other").headers["ETag"]
    )
    again = ask(rendered, ANNA, "one", **{"If-None-Match": one.headers["ETag"]})
    assert (again.status_code, again.headers["Cache-Control"]) == (304, "private, no-store")
    assert ask(rendered, ANNA, "other", **{"If-None-Match": one.headers["ETag"]}).status_code == 200
    packed = ask(rendered, ANNA, "one", **{"Accept-Encoding": "gzip"})
    assert "Content-Length" not in packed.headers
    assert gzip.decompress(packed.data) == one.data


@pytest.mark.parametrize("step", [1, len(MARK) - 1, len(MARK), 1000])
def test_processes_with_the_same_key_tag_the_same_answers_alike(
    step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has marks of its own."""

    def tag(digits: str, text: str, key: bytes = b"key") -> str:
        one, two = (f"own{number:04}{digit * 32}" for number, digit in enumerate(digits))
        monkeypatch.setattr(rendered_module, "_MARKS", [one.encode(), two.encode()])
        monkeypatch.setattr(rendered_module, "OWN_BASE", one)
        body = text.format(one, two).encode()
        return prepare(cut(body, step)).digest_for("base", {two: "secret"}, key)

    same = {tag("ab", "{0}x{1}{1}"), tag("cd", "{0}x{1}{1}"), tag("ba", "{0}x{1}{1}")}
    assert len(same) == 1
    others = {tag("ab", "{0}x{0}{1}"), tag("ab", "{0}x{1}"), tag("ab", "{0}x{1}{1}", b"other")}
    assert len(others | same) == 4


def test_a_tag_is_made_with_the_key_of_the_application() -> None:
    rendered = prepare(iter([marked([10, 20])]))
    tags = {ask(rendered, ANNA, "one", key=key).headers["ETag"] for key in (b"a", b"b", b"a", None)}
    assert len(tags) == 3


def rendered_with(rendered: Rendered, base: str) -> bytes:
    return b"".join(rendered.plain(base))


def test_what_a_user_gets_is_private_also_without_a_base() -> None:
    rendered = prepare(iter([b"the same for all"]))
    assert ask(rendered, ANNA, "one").headers["Cache-Control"] == "private, no-store"
    assert ask(rendered, Caller(), "").headers["Cache-Control"] == "no-cache"
