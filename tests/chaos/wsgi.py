"""The application as it is, and one more address: how many greenlets are alive."""

from __future__ import annotations

import gc

from flask import Response
from gevent.greenlet import Greenlet

from wsgi import app

__all__ = ["app"]


@app.get("/chaos/greenlets")
def greenlets() -> Response:
    return Response(str(sum(isinstance(o, Greenlet) and bool(o) for o in gc.get_objects())))
