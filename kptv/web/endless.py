"""Views whose answers last as long as somebody takes them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from flask import Response, request
from prometheus_flask_exporter import PrometheusMetrics

from kptv.web.framing import unframe

P = ParamSpec("P")
Route = Callable[P, Response]


def endless(view: Route[P]) -> Route[P]:
    """A view whose durations are not counted: they do not say how fast requests are answered."""
    uncounted: Route[P] = PrometheusMetrics.do_not_track()(view)
    return uncounted


def unframed(view: Route[P]) -> Route[P]:
    """A view whose answers, refusals too, go out as they are and end with their connection."""

    @wraps(view)
    def answer(*args: P.args, **kwargs: P.kwargs) -> Response:
        unframe(request.environ)
        return view(*args, **kwargs)

    return answer
