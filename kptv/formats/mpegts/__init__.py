"""The MPEG-2 transport stream (ISO/IEC 13818-1), as bytes in and bytes out.

From bytes to packets: ``aligner``; of a stream that comes in parts ``seam``. What is in them:
``psi`` (tables), ``programs`` (which one is played), ``clock``, ``continuity`` (counters),
``elementary``, ``parameters`` and ``sps`` (keyframes, codecs, sizes), ``inspector`` (all of it in
one pass). One programme of many upstreams: ``splicer``, made of ``seeker`` (where to start),
``sender`` (on which PIDs and clock), ``tracks``, ``programme``, ``timeline``, ``restamp`` and
``holding``. What a hub does with it: ``joining`` (viewers), ``watch`` (troubles), ``meter``
(figures) and ``slate``.
"""

from __future__ import annotations

from pathlib import Path

PACKET_SIZE = 188  # ISO/IEC 13818-1, 2.4.3.2
SYNC_BYTE = 0x47
PAT_PID = 0x0000
NULL_PID = 0x1FFF  # stuffing to a constant bit rate: carries nothing
# A still card ("channel unavailable, reconnecting"), silent: H.264 and AAC; see make_slate.sh.
DEFAULT_SLATE = Path(__file__).with_name("slate.ts")
