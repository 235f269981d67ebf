"""``make fuzz``: each target for so many seconds under atheris, then all else by hypothesis.

Where there is no atheris for this Python, hypothesis makes it all. What an atheris run has learned
stays in ``.fuzz`` for the next one; what it finds lies there too, as ``found-…``.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

from tests.fuzz.targets import TARGETS

FOLDER = Path(".fuzz")
_SLOW = 25  # seconds for one input: what takes longer is a find too
_TIMES = 10  # as many examples as in a plain run, in a round of hypothesis


def main(seconds: int, names: Iterable[str]) -> int:
    """Exit status: 1 as soon as something is found."""
    if find_spec("atheris") is None:
        print("no atheris for this Python: hypothesis alone")
        return by_hypothesis(seconds)
    for name in names:
        if failed := guided(name, seconds):
            return failed
    return by_hypothesis(seconds)


def guided(name: str, seconds: int) -> int:
    """One target under atheris."""
    learned = FOLDER / name
    learned.mkdir(parents=True, exist_ok=True)
    longest = TARGETS[name].longest
    for seed in TARGETS[name].seeds():
        path = learned / hashlib.sha1(seed[:longest], usedforsecurity=False).hexdigest()
        path.write_bytes(seed[:longest])
    print(f"{name}: {seconds} s", flush=True)
    command = [sys.executable, "-m", "tests.fuzz.guided", name, str(learned)]
    options = f"-max_total_time={seconds} -max_len={longest} -timeout={_SLOW} -verbosity=0"
    options += " -print_final_stats=1"
    found = FOLDER / f"found-{name}-"
    run = subprocess.run([*command, *options.split(), f"-artifact_prefix={found}"], check=False)
    if run.returncode:
        again = f"PYTHONPATH=.venv/fuzz {' '.join(command[:-1])} FILE"
        print(f"found; it is the newest of {found}*; once more: {again}")
    return run.returncode


def by_hypothesis(seconds: int) -> int:
    """All tests of this folder, with other examples in each round."""
    end, environ = monotonic() + seconds, {**os.environ, "FUZZ_TIMES": str(_TIMES)}
    environ.pop("CI", None)  # there the examples are always the same
    while monotonic() < end:
        command = [sys.executable, "-m", "pytest", "--timeout=0", str(Path(__file__).parent)]
        if failed := subprocess.run(command, env=environ, check=False).returncode:
            return failed
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
