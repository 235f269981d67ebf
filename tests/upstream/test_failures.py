"""Errors of libraries and of the system as people read them."""

from __future__ import annotations

import errno

import pytest
import requests
import urllib3

from kptv.errors import Reason, UpstreamError
from kptv.upstream.failures import mapped_errors


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
@pytest.mark.parametrize("wrapped", [False, True])
def test_too_many_open_files_are_told_as_such(number: int, wrapped: bool) -> None:
    def connect() -> None:
        try:
            raise OSError(number, "Too many open files")
        except OSError as error:
            if not wrapped:
                raise
            new = urllib3.exceptions.NewConnectionError(None, "no connection")  # type: ignore[arg-type]
            new.__cause__ = error
            raise requests.ConnectionError(new) from new

    with pytest.raises(UpstreamError) as caught, mapped_errors():
        connect()
    assert caught.value.reason is Reason.REFUSED
    assert caught.value.detail == "too many open files in this proxy"
