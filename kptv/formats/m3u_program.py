"""Which programme of a stream with several an entry is: the options of VLC and of Kodi."""

from __future__ import annotations

import re
from collections.abc import Iterable

# ``#EXTVLCOPT:program=7`` and ``#KODIPROP:inputstream.ffmpegdirect.program_number=7``.
_PROGRAM = re.compile(
    r":?+(?>(?:[\w-]++\.)*)programs?+(?>(?:[_-]number)?)\s*+=\s*+[\"']?+(\d{1,5})(?!\d)", re.I
)
_LAST = 0xFFFF  # program_number has 16 bits; 0 is the network's (ISO/IEC 13818-1, 2.4.4.4)


def wished_program(options: Iterable[str]) -> int:
    """The number that the first of these options (``key=value``) asks for; 0: none does."""
    numbers = (int(match[1]) for option in options if (match := _PROGRAM.match(option)))
    return next((number for number in numbers if 0 < number <= _LAST), 0)
