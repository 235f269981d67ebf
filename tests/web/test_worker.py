"""The worker tells at once, and once, that it has to end."""

from __future__ import annotations

import gevent

from kptv.web.worker import Worker


def test_whatever_ends_the_worker_ends_what_has_no_end_by_itself() -> None:
    worker = Worker.__new__(Worker)  # gunicorn's own would want a whole server
    ended: list[str] = []
    worker.when_stopping = [lambda: ended.append("streams"), lambda: ended.append("events")]
    worker.alive = True
    gevent.idle()
    assert ended == []
    worker.alive = False  # as gunicorn does on a signal, or after --max-requests
    assert ended == [], "a signal may come anywhere"
    worker.alive = False
    gevent.idle()
    assert ended == ["streams", "events"]
