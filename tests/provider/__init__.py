"""A provider on loopback: channel lists, live streams, files, a connection limit, every bad ending.

The ground truth of the functional tests. It counts as a provider counts: a connection to a stream
is open from the moment its request is read until the provider sees the client's close, and it sees
that at once, not at its next write. It runs on a thread of its own with its own asyncio loop, so
nothing in the test process can hold it up.

    with Provider("one", limit=1) as provider:
        news = provider.add_channel("News")
        ...                                     # SOURCES=f"{provider.list_url}|1"
        news.break_now(Bad.RESET)               # the running connections, in mid-stream
        news.fail_with(404)                     # the next requests
        news.recover()
        provider.kill(); provider.revive()      # the whole machine; the port stays its own
        provider.wait(lambda: provider.connections == 0)
        assert provider.max_connections_seen == 1

What a test asks for is read by the loop at the next request; what acts on running connections
(break_now, kill, …) has happened when the call returns.
"""

from tests.provider.gate import Gate
from tests.provider.http import Reply, Request
from tests.provider.machine import Account, Provider
from tests.provider.middle import MiddleProxy
from tests.provider.resources import Bad, ChannelList, Computed, File, How, Resource, Stream

__all__ = [
    "Account",
    "Bad",
    "ChannelList",
    "Computed",
    "File",
    "Gate",
    "How",
    "MiddleProxy",
    "Provider",
    "Reply",
    "Request",
    "Resource",
    "Stream",
]
