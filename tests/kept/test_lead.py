"""One of those that share a folder leads, as long as it lives."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kptv.kept.lead import NAME, Lead


def test_the_first_leads_until_it_gives_up(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    first, second = Lead(folder), Lead(folder)
    assert first.leads()
    assert not second.leads()
    assert first.leads()
    first.close()
    first.close()
    assert second.leads()
    assert not first.leads()
    second.close()


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process, which leads there."""
    program = (
        "import sys; from pathlib import Path; from kptv.kept.lead import Lead\n"
        "lead = Lead(Path(sys.argv[1])); print(lead.leads(), flush=True); sys.stdin.read()"
    )
    command = (sys.executable, "-c", program, str(folder))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"True\n"
        yield other


def test_a_process_that_is_killed_leads_no_more(tmp_path: Path) -> None:
    with holder(tmp_path) as other:
        lead = Lead(tmp_path)
        assert not lead.leads()
        other.kill()
        other.wait(10)
        assert lead.leads()
        lead.close()


def test_who_finds_another_file_in_place_of_its_own_leads_no_more(tmp_path: Path) -> None:
    first, second = Lead(tmp_path), Lead(tmp_path)
    assert first.leads()
    (tmp_path / NAME).unlink()
    assert second.leads()
    assert not first.leads()
    second.close()


def test_where_nothing_can_be_written_nobody_leads_and_the_log_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").write_text("a file, so that even root can make nothing below it")
    lead = Lead(tmp_path / "data")
    with caplog.at_level(logging.INFO):
        assert not lead.leads()
        assert not lead.leads()
    assert caplog.text.count("DATA_DIR cannot be written (") == 1


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EINTR])
def test_where_nothing_can_be_locked_nobody_leads_and_the_log_says_so_loudly(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    before = len(os.listdir("/proc/self/fd"))
    one, two = Lead(tmp_path), Lead(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", flock)
        assert not any(lead.leads() for lead in (one, two, one, two))
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert f"cannot be locked ({os.strerror(number)})" in caplog.text
    assert len(os.listdir("/proc/self/fd")) == before
    assert one.leads(), "it does not try again"
    one.close()


def test_who_is_stopped_leads_on(tmp_path: Path) -> None:
    """It may go on at any moment, in the middle of writing."""
    with holder(tmp_path) as other:
        other.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, other.pid, os.WSTOPPED | os.WNOWAIT)
        lead = Lead(tmp_path)
        assert not lead.leads()
        other.kill()
        other.wait(10)
        assert lead.leads()
        lead.close()


def test_no_descriptor_is_left_by_who_tries_again_and_again(tmp_path: Path) -> None:
    first, second = Lead(tmp_path), Lead(tmp_path)
    assert first.leads()
    before = len(os.listdir("/proc/self/fd"))
    assert not any(second.leads() for _ in range(20))
    assert len(os.listdir("/proc/self/fd")) == before
    first.close()
