"""Plays one stream to standard output; run by tests.hls_origin.play."""

from gevent import monkey

monkey.patch_all()

import gc  # noqa: E402
import itertools  # noqa: E402
import json  # noqa: E402
import logging  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from contextlib import closing  # noqa: E402

import gevent  # noqa: E402

from kptv.channels.model import Source, Stream  # noqa: E402
from kptv.config import Config  # noqa: E402
from kptv.errors import UpstreamError  # noqa: E402
from kptv.formats.hls.variants import parse_selection  # noqa: E402
from kptv.upstream.client import HttpClient  # noqa: E402
from kptv.upstream.open import Opener  # noqa: E402
from tests.shared import opener_of  # noqa: E402


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    job = json.loads(sys.argv[1])
    source = Source(1, "file:///unused", 1)  # a list of our own: it may lead to loopback
    if selection := job["settings"].pop("variant_selection", ""):
        job["settings"]["variant_selection"] = parse_selection(selection)
    config = Config(sources=(source,), **job["settings"])
    client = HttpClient(config)
    opener = opener_of(config, client)
    for _ in range(job["times"]):
        result = _play(opener, Stream(source, job["url"], name="Channel"), job["seconds"])
    client.close()
    gevent.sleep(0.1)
    result["left"] = sum(
        isinstance(item, gevent.Greenlet) and not item.dead for item in gc.get_objects()
    )
    sys.stderr.write("\n" + json.dumps(result))


def _play(opener: Opener, stream: Stream, seconds: float) -> dict[str, object]:
    began = time.monotonic()
    times = [began]
    result: dict[str, object] = {"reason": "", "detail": "", "splices": 0, "cpu": 0.0}
    cpu = 0.0
    try:
        with gevent.Timeout(seconds, False), closing(opener.open_stream(stream)) as chunks:
            for piece in chunks:
                if len(times) == 1:
                    cpu = time.process_time()
                times.append(time.monotonic())
                sys.stdout.buffer.write(piece.data)
                gevent.sleep(0.015)
            result["reason"] = "end"
    except UpstreamError as error:
        result |= {"reason": str(error.reason), "detail": error.detail}
    result["cpu"] = time.process_time() - cpu
    sys.stdout.buffer.flush()
    gaps = [after - before for before, after in itertools.pairwise(times[1:])]
    return {
        **result,
        "first": times[1] - began if len(times) > 1 else -1.0,
        "silence": max(gaps, default=0.0),
    }


if __name__ == "__main__":
    main()
