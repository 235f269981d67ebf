"""How many tuners applications are told of.

They believe it, and refuse a viewer above it without asking. So in doubt there are more: viewers of
one channel share a connection, and who finds none free is told so by an answer 503.
"""

from __future__ import annotations

from collections.abc import Iterable

from kptv.channels.model import Source

FEWEST, MOST = 2, 32
WITHOUT_LIMIT = 4  # what a source without a limit counts as


def tuner_count(sources: Iterable[Source], wanted: int) -> int:
    """As many as ``wanted``; if that is 0, as many as the sources allow connections."""
    allowed = sum(source.max_connections or WITHOUT_LIMIT for source in sources)
    return wanted or max(FEWEST, min(MOST, allowed))
