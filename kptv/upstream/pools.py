"""Pools of connections as providers want them: none is left open that nobody uses."""

from __future__ import annotations

from operator import methodcaller
from typing import Any
from weakref import WeakSet

import urllib3
from requests.adapters import HTTPAdapter

from kptv.upstream.fairness import FairConnection, FairTLSConnection
from kptv.upstream.road import Road


class _OnRoad:
    """A pool whose connections are made by a road."""

    def __init__(self, *args: Any, road: Road, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._road = road

    def _new_conn(self) -> Any:
        connection = super()._new_conn()  # type: ignore[misc]
        connection.road = self._road
        return connection


class _ClosesAll(_OnRoad):
    """A pool that closes all its connections with itself, not only those that idle in it.

    urllib3 takes one out, then looks whether it still stands: a greenlet that is killed there
    leaves it open, and in nobody's hands.
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


class _KeepingTLSPool(_ClosesAll, urllib3.HTTPSConnectionPool):
    ConnectionCls = FairTLSConnection


class _HangsUp(_OnRoad):
    """A pool that closes what it is given back.

    We said ``Connection: close`` (RFC 9112, 9.6), but urllib3 keeps a connection whose answer was
    read to its end: a provider goes on counting it, or closes it under the next request.
    """

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.close()


class _Pool(_HangsUp, urllib3.HTTPConnectionPool):
    ConnectionCls = FairConnection


class _TLSPool(_HangsUp, urllib3.HTTPSConnectionPool):
    ConnectionCls = FairTLSConnection


class _Adapter(HTTPAdapter):
    """Its pools make their connections by ``road``."""

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
    """Its pools keep no open connection."""

    _pools = (_Pool, _TLSPool)


class KeepingAdapter(_Adapter):
    """Its pools keep a connection a host, of two hosts; closed, they and it leave none open."""

    _pools = (_KeepingPool, _KeepingTLSPool)

    def __init__(self, road: Road) -> None:
        super().__init__(road, pool_connections=2, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        # urllib3 leaves it to the garbage collector to close a pool, which may be minutes later.
        self.poolmanager.pools.dispose_func = methodcaller("close")
