"""The proxy with one way of sending to the front row, for tests that have to hold with each."""

from __future__ import annotations

import sys
from wsgiref.types import WSGIApplication

from kptv.restream import front_row

WAYS = {"by file": 1, "by send": sys.maxsize}


def app(file_from: int) -> WSGIApplication:
    """gunicorn is started with ``tests.functional.ways:app(1)``: files from one viewer on."""
    front_row.FILE_FROM = file_from
    from wsgi import app

    return app
