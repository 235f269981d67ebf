"""An answer may say that it goes out without frames: what the server offers, and how to ask for it.

A server writes a body of unknown length to an HTTP/1.1 client in chunks, which costs a copy of each
piece. To an HTTP/1.0 client it writes the body as it is, and ends the connection behind it.
"""

from __future__ import annotations

from wsgiref.types import WSGIEnvironment

UNFRAME = "kptv.unframe"  # in the environ: the worker's way to answer as if to HTTP/1.0


def unframe(environ: WSGIEnvironment) -> None:
    """Answer this request without frames, if the server can; call it before the answer begins.

    Afterwards SERVER_PROTOCOL says HTTP/1.0 if the answer has no frames, whoever asked for that.
    """
    if UNFRAME in environ:
        environ[UNFRAME]()
        environ["SERVER_PROTOCOL"] = "HTTP/1.0"
