"""Pools of connections as providers want them: no unused connection is left open."""

from __future__ import annotations

from operator import methodcaller
from typing import Any
from weakref import WeakSet

import urllib3
from requests.adapters import HTTPAdapter

from kptv.upstream.fairness import FairConnection, FairTLSConnection
from kptv.upstream.road import Road


class _OnRoad:
    """A pool whose connections a road makes."""

    def __init__(self, *args: Any, road: Road, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._road = road

    def _new_conn(self) -> Any:
        connection = super()._new_conn()  # type: ignore[misc]
        connection.road = self._road
        return connection


class _ClosesAll(_OnRoad):
    """A pool that, when it is closed, closes all its connections, not only the idle ones.

    urllib3 takes a connection out and then checks whether it still stands: if the greenlet is
    killed there, the connection stays open and nobody has it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._made: WeakSet[Any] = WeakSet()

    def _new_conn(self) -> Any:
        connection = super()._new_conn()
        self._made.add(connection)
        return connection

    def close(self) -> None:
        super().close()  # type: ignore[misc]
        for connection in list(self._made):
            connection.close()


class _KeepingPool(_ClosesAll, urllib3.HTTPConnectionPool):
    ConnectionCls = FairConnection


class _Unwarned:
    """A TLS pool that does not warn of a certificate that the operator does not want checked.

    urllib3 would for each request, past the log, and would name the host.
    """

    def _validate_conn(self, conn: Any) -> None:
        if conn.is_closed:
            conn.connect()


class _KeepingTLSPool(_Unwarned, _ClosesAll, urllib3.HTTPSConnectionPool):
    ConnectionCls = FairTLSConnection


class _HangsUp(_OnRoad):
    """A pool that closes each connection it is given back.

    We have said ``Connection: close`` (RFC 9112, 9.6), but urllib3 keeps a connection if its answer
    was read to the end. The provider would go on counting it, or close it under the next request.
    """

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.close()


class _Pool(_HangsUp, urllib3.HTTPConnectionPool):
    ConnectionCls = FairConnection


class _TLSPool(_Unwarned, _HangsUp, urllib3.HTTPSConnectionPool):
    ConnectionCls = FairTLSConnection


class _Adapter(HTTPAdapter):
    """An adapter whose pools connect by ``road``."""

    _pools: tuple[type[_OnRoad], type[_OnRoad]]

    def __init__(self, road: Road, **options: Any) -> None:
        self._road = road
        super().__init__(max_retries=0, **options)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        plain, tls = self._pools
        self.poolmanager.pool_classes_by_scheme = {
            "http": lambda *args, **kwargs: plain(*args, road=self._road, **kwargs),
            "https": lambda *args, **kwargs: tls(*args, road=self._road, **kwargs),
        }


class ClosingAdapter(_Adapter):
    """An adapter whose pools keep no connection."""

    _pools = (_Pool, _TLSPool)


class KeepingAdapter(_Adapter):
    """An adapter whose pools keep one connection per host, for two hosts, until it is closed."""

    _pools = (_KeepingPool, _KeepingTLSPool)

    def __init__(self, road: Road) -> None:
        super().__init__(road, pool_connections=2, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        # urllib3 leaves a pool to the garbage collector, which may close it minutes later.
        self.poolmanager.pools.dispose_func = methodcaller("close")
