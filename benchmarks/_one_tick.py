"""The proxy with chunks of one length, however busy it is: for the benchmark `gathering`."""

import os

from kptv.restream import gathering

for name in ("SMALL_TICK", "LARGE_TICK", "BUSY_TICK"):
    setattr(gathering, name, float(os.environ["BENCH_TICK"]))

from wsgi import app  # noqa: E402, F401
