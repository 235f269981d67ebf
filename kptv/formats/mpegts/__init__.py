"""The MPEG-2 transport stream (ISO/IEC 13818-1), as bytes in and bytes out.

``aligner`` makes packets of bytes; ``seam`` tells what lies between parts of a stream. In packets
are headers (``packets``), tables (``psi``; ``programs`` chooses what is played), clocks (``clock``,
``playtime``), counters (``continuity``), PES packets and access units (``units``) and cue messages
(``cues``). ``elementary`` knows codecs and keyframes, with ``nal``, ``parameters``, ``sps`` and
``sound``; ``media`` what players must know of them. ``inspector`` does all of that in one pass;
``inspection`` is what it finds.
"""

from __future__ import annotations

PACKET_SIZE = 188  # ISO/IEC 13818-1, 2.4.3.2
SYNC_BYTE = 0x47
PAT_PID = 0x0000
NULL_PID = 0x1FFF  # stuffing to a constant bit rate: carries nothing
