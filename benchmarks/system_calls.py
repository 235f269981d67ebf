"""The system calls of one second of a busy worker: `python -m benchmarks.system_calls`.

No benchmark: strace stops the worker at every call, so its times say nothing, and its counts are of
less media than a second's if the worker falls behind. Below its table stands what was delivered.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time

from benchmarks.rig import Crowd, Report, compiled, running_proxy, two_cores
from tests.provider import Provider

VIEWERS = 1000
BITRATE = 8_000_000
SETTLE = 4.0  # seconds after the last viewer has joined
WINDOW = 1.0


def main() -> int:
    """Print strace's summary and what it is of; gives the exit status."""
    if shutil.which("strace") is None:
        print("This needs strace.", file=sys.stderr)
        return 2
    with (
        two_cores() as cores,
        compiled("viewers") as (program,),
        Provider("one", bitrate=BITRATE) as provider,
    ):
        provider.add_channel("News")
        with (
            running_proxy(provider, core=cores.server) as proxy,
            Crowd(program, proxy.port, "/stream/news", VIEWERS) as crowd,
        ):
            time.sleep(SETTLE)
            crowd.report()
            summary = _strace(proxy.worker_pid)
            print(summary, _delivered(crowd.report()), sep="\n")
    return 0


def _strace(pid: int) -> str:
    """What `strace -c` tells of this process and its threads, of one second."""
    command = ["strace", "-f", "-c", "-S", "calls", "-U", "calls,errors,name", "-p", str(pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        attached = process.stderr.readline()
        assert "attached" in attached, attached
        time.sleep(WINDOW)
        process.terminate()
        lines = process.stderr.read().splitlines()
    return "\n".join(line for line in lines if not line.startswith("strace:"))


def _delivered(report: Report) -> str:
    media = report.bytes / VIEWERS * 8 / BITRATE
    each = f"{media:.2f} s of media each, in {report.reads / VIEWERS:.1f} chunks"
    return f"{WINDOW:g} s, {VIEWERS:,} viewers of {BITRATE / 1e6:g} Mbit/s: {each}"


if __name__ == "__main__":
    sys.exit(main())
