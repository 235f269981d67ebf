"""Nothing is left behind by what is ended, at whichever turn of the event loop that happens.

The scenes are played two at a time, for they mostly wait; each test looks at what came of one.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cancellation import courier
from tests.cancellation.scenes import SCENES

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 110.0  # seconds; each takes a few


SCRIPT = """
import sys
from gevent import monkey; monkey.patch_all()
from tests.cancellation.scenes import main
main(sys.argv[1])
"""

Done = subprocess.CompletedProcess[str]


def play(scene: str) -> Done:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, scene],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


@pytest.fixture(scope="module")
def played(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Done]]:
    """What came of a scene; the one that comes next is being played meanwhile."""
    items = [item for item in request.session.items if item.parent is request.node]
    wanted = [item.callspec.params["scene"] for item in items]  # type: ignore[attr-defined]
    with ThreadPoolExecutor(2) as pool:
        running = {scene: pool.submit(play, scene) for scene in wanted}
        yield lambda scene: running[scene].result()
        pool.shutdown(cancel_futures=True)


NEEDS = dict.fromkeys(courier.SCENES, pytest.mark.requires("redis-server"))


@pytest.mark.parametrize(
    "scene", [pytest.param(scene, marks=NEEDS.get(scene, ())) for scene in SCENES]
)
def test_nothing_is_left_at_whichever_turn_it_is_ended(
    played: Callable[[str], Done], scene: str
) -> None:
    done = played(scene)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 3  # turns: it was more than begun
