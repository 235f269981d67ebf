"""Questions to the kernel that are answered at once: no greenlet has a turn meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from gevent.monkey import get_original

_poll = get_original("select", "poll")  # gevent's own would switch


def polled(descriptor: int, events: int) -> Callable[[], bool]:
    """Whether any of ``events`` (of the module select) has come, or the descriptor failed."""
    asking = _poll()
    asking.register(descriptor, events)
    return lambda: bool(asking.poll(0))
