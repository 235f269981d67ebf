"""The MPEG-2 transport stream (ISO/IEC 13818-1), as bytes in and bytes out.

From bytes to packets: ``aligner``; of a stream that comes in parts ``seam``. What is in them:
``packets`` (headers), ``psi`` (tables), ``programs`` (which one is played), ``clock``,
``continuity`` (counters), ``elementary``, ``nal``, ``parameters``, ``sps`` and ``sound``
(keyframes, codecs, sizes), ``cues``, ``playtime``, and ``inspector`` with ``inspection`` (all of
it in one pass).
"""

from __future__ import annotations

PACKET_SIZE = 188  # ISO/IEC 13818-1, 2.4.3.2
SYNC_BYTE = 0x47
PAT_PID = 0x0000
NULL_PID = 0x1FFF  # stuffing to a constant bit rate: carries nothing
