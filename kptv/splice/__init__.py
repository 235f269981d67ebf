"""One programme out of many upstreams: our trade, pure, on top of ``kptv.formats.mpegts``.

``splicer`` is the whole. Its parts: ``seeker`` (where an upstream can start), ``sender`` (on which
PIDs, counters and clock it goes out), ``tracks``, ``outgoing``, ``timeline``, ``restamp``,
``holding`` and ``idr``. What a hub does with it: ``joining`` (viewers), ``watch`` (troubles),
``stats`` (figures) and ``slate``.
"""
