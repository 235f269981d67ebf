"""Pictures on the disk: readable by their owner, within a bound, oldest out."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

from kptv.upstream.picture_files import PictureFiles

GIF = b"GIF89a" + bytes(5000)
SECRET = "http://panel.example/images/alice/s3cret/1.gif"


def test_what_is_kept_is_read_again_and_is_its_owners(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "logos"
    files = PictureFiles(folder)
    assert files.read(SECRET) is None
    picture, error = files.keep(SECRET, GIF)
    assert error is None
    assert files.read(SECRET) == picture
    assert PictureFiles(folder).read(SECRET) == picture, "after a restart too"
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert "s3cret" not in path.name


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path) -> None:
    files = PictureFiles(tmp_path, bytes_=40 * len(GIF))
    begun = time.time() - 10_000
    for number in range(100):
        files.keep(f"http://a/{number}", GIF)
        for path in tmp_path.iterdir():  # in the order in which they came, whatever the clock says
            if path.stat().st_mtime > begun + 5000:
                os.utime(path, (begun + number, begun + number))
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 40 * len(GIF)
    kept = [number for number in range(100) if files.read(f"http://a/{number}")]
    assert kept == [*range(kept[0], 100)]
    assert len(kept) > 30


def test_many_small_ones_are_bounded_too(tmp_path: Path) -> None:
    files = PictureFiles(tmp_path, files=40)
    for number in range(100):
        files.keep(f"http://a/{number}", b"GIF89a")
    assert 30 < len(list(tmp_path.iterdir())) <= 40


def test_what_a_killed_process_left_goes(tmp_path: Path) -> None:
    left, running = tmp_path / ".logo-old", tmp_path / ".logo-new"
    left.touch()
    running.touch()
    os.utime(left, (0, 0))
    PictureFiles(tmp_path).keep("http://a/1", GIF)
    assert not left.exists()
    assert running.exists()


def test_a_file_that_is_no_picture_is_none(tmp_path: Path) -> None:
    files = PictureFiles(tmp_path)
    files.keep(SECRET, GIF)
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"<html>")
    assert files.read(SECRET) is None


def test_a_folder_that_cannot_be_written_costs_no_picture(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    picture, error = PictureFiles(tmp_path / "file" / "logos").keep(SECRET, GIF)
    assert picture is not None
    assert isinstance(error, OSError)
