"""What browsers are told who ask whether a page may ask (Fetch, 4.9: CORS-preflight).

A page's player that sends a header of its own asks by OPTIONS first, and gives up if it is not let.
"""

from __future__ import annotations

from flask import Blueprint, Response, request

_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    # Old browsers take the star by its word, and nothing shorter stands for the usual ones.
    "Access-Control-Allow-Headers": "*, Accept, Accept-Encoding, Cache-Control, Content-Type,"
    " If-None-Match, Pragma, Range, X-Playback-Session-Id, X-Requested-With",
    "Access-Control-Max-Age": "86400",
}


def let_pages_ask(blueprint: Blueprint) -> None:
    """Let pages of any origin ask for all that ``blueprint`` has, with the methods that it has."""

    @blueprint.after_request
    def answer(response: Response) -> Response:
        if request.method == "OPTIONS" and response.status_code == 200:
            response.status_code = 204
            response.headers.update(_HEADERS)
            response.headers["Access-Control-Allow-Methods"] = response.headers["Allow"]
        return response
