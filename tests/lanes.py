"""Which files of tests run beside which: three processes on two cores, and no two that compute.

Most tests that start servers wait more than they work: two files of them fit on a core, and nothing
is late. A file that computes takes a whole one. All of those are one piece of work here, for one
process: whatever else runs has the other core, as it has with two processes. When that is done,
all three wait together.
"""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

# Files, and folders of files, whose tests wait; a core has at most 0.4 to do for one of them.
WAITING = (
    "tests/chaos/",
    "tests/demo/",
    "tests/functional/",
    "tests/restream/",
    "tests/upstream/",
)
# Except these: browsers, a thousand viewers, encryption, a dozen of ffmpegs at once.
WORKING = (
    "tests/functional/test_containers.py",
    "tests/functional/test_guide_page.py",
    "tests/functional/test_status_page.py",
    "tests/functional/test_thousand_viewers.py",
    "tests/functional/test_tls.py",
)
COMPUTING = "what computes"
# What takes a minute or more comes first, so that no process is left with it at the end.
FIRST = (
    COMPUTING,
    "tests/chaos/test_chaos.py",
    "tests/functional/test_live_media.py",
    "tests/functional/test_hls_scenarios.py",
    "tests/functional/test_lifecycle.py",
    "tests/functional/test_hls.py",
    "tests/upstream/test_hls_live.py",
    "tests/functional/test_joins.py",
    "tests/functional/test_slots.py",
    "tests/demo/test_demo.py",
    "tests/functional/test_standby.py",
    "tests/functional/test_rhythm.py",
    "tests/functional/test_leaks.py",
)


class Lanes(LoadFileScheduling):
    """Deals the files out to the processes of pytest-xdist."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return file if file.startswith(WAITING) and file not in WORKING else COMPUTING

    def _assign_work_unit(self, node: WorkerController) -> None:
        self.workqueue.move_to_end(min(self.workqueue, key=_place), last=False)
        super()._assign_work_unit(node)


def _place(piece: str) -> int:
    return FIRST.index(piece) if piece in FIRST else len(FIRST)
