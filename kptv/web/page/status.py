"""The status page: static files, under a policy that lets nothing else in."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, request, send_from_directory

from kptv.web.lines import line, where_the_list_is

FILES = Path(__file__).parent / "static"
# Only our own scripts run. Logos may come from any host; a preview's media are made by a script.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data: http: https:; media-src 'self' blob:; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",  # ask each time whether it changed
}


def status_blueprint(base_url: str) -> Blueprint:
    """`/` for browsers, and the page's files; other programs get the address of the list."""
    blueprint = Blueprint("status", __name__)
    names = _names()

    @blueprint.get("/")
    def index() -> Response:
        if "text/html" not in request.headers.get("Accept", ""):
            response = where_the_list_is(base_url)
        else:
            response = _file("index.html")
        response.headers["Vary"] = "Accept"
        return response

    @blueprint.get("/assets/<path:name>")
    def asset(name: str) -> Response:
        if name not in names:
            return line(404, "No such file.")
        return _file(name)

    return blueprint


def asset_paths() -> frozenset[str]:
    """The paths of all the page's files; nothing of anybody's is in them."""
    return frozenset(f"/assets/{name}" for name in _names())


def _names() -> set[str]:
    files = [path.relative_to(FILES).as_posix() for path in FILES.rglob("*.*") if path.is_file()]
    return {name for name in files if name != "index.html"}


def _file(name: str) -> Response:
    response = send_from_directory(FILES, name, conditional=True, max_age=None)
    response.headers.update(_HEADERS)
    if name.endswith((".js", ".mjs")):
        response.content_type = "text/javascript; charset=utf-8"
    return response
