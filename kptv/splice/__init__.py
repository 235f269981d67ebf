"""One programme out of many upstreams: our trade, pure, on top of ``kptv.formats.mpegts``.

``splicer`` is the whole. Its parts: ``seeker`` finds where an upstream can start; ``sender`` sends
it, with ``lanes`` (its PIDs), ``clocks`` (its clock references), ``starts`` (where viewers may
start) and ``trail`` (its last packets); ``outgoing`` is what viewers see, with ``tracks``,
``timeline`` (one clock) and ``reserve`` (how far media is ahead); ``restamp``, ``holding`` and
``idr`` change packets. What a hub does with it: ``joining`` (viewers), ``segments`` (HLS, with
``tails``), ``watch`` (troubles), ``stats`` (figures), ``slate`` and ``stock`` (an upstream that
stands by).
"""
