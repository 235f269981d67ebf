"""The client's connections, where gevent's sockets matter: in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# A greenlet is killed at each of its first waits in a second request over a kept connection.
KILLED_WHILE_IT_ASKS = """
from gevent import monkey; monkey.patch_all()
import gevent
from gevent.event import Event
from gevent.server import StreamServer
from kptv.channels.model import Source
from kptv.config import Config
from kptv.upstream.client import HttpClient

hung_up = Event()

def serve(connection, address):
    while connection.recv(65536):
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nhi")
    hung_up.set()

server = StreamServer(("127.0.0.1", 0), serve)
server.start()
url = f"http://127.0.0.1:{server.server_port}/"
source = Source(1, url, 1)
config = Config(sources=(source,))

def ask(client):
    return client.get(source, url, headers={"Connection": "keep-alive"}, timeout=(5, 5))

for waits in range(4):
    hung_up.clear()
    client = HttpClient(config).alone(source)
    assert ask(client).content == b"hi"
    assert not hung_up.is_set()
    asking = gevent.spawn(ask, client)
    for _ in range(waits):
        gevent.sleep(0)
    asking.kill()
    client.close()
    print(hung_up.wait(5))
"""


# Both ports take a connection and say nothing: the first not even that it is one.
ENDED_WHILE_IT_CONNECTS = """
from gevent import monkey; monkey.patch_all()
import gc, os
import gevent
from gevent import socket
from kptv.channels.model import Source
from kptv.config import Config
from kptv.channels.rules.reading import read_rules
from kptv.errors import Reason, UpstreamError
from kptv.upstream.client import HttpClient

gc.disable()

def listen(backlog):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(backlog)
    return listener

def sockets():
    links = []
    for number in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:
            pass
    return sum(link.startswith("socket:") for link in links)

full, silent = listen(0), listen(1)
fillers = [socket.socket() for _ in range(2)]
for filler in fillers:
    filler.setblocking(False)
    filler.connect_ex(full.getsockname())

for scheme, listener in (
    ("http", full), ("https", silent), ("socks5", listen(8)), ("http", listen(8))
):
    address = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
    source, rules = Source(1, address + "/", 1), None
    if listener not in (full, silent):  # it is a proxy that says nothing
        source = Source(1, "http://panel.example/", 1)
        rules = read_rules(f"[source.1]\\nproxy = '{address}'".encode())
    client = HttpClient(Config(sources=(source,), rules=rules))
    for why in (UpstreamError(Reason.TIMEOUT), gevent.GreenletExit()):
        before = sockets()
        asking = gevent.spawn(client.get, source, source.url, headers={}, timeout=(5, 5))
        while sockets() == before:
            gevent.sleep(0)
        try:
            asking.kill(why)
            kept = asking.get()
        except UpstreamError as error:
            kept = error
        assert kept is why and kept.__traceback__ is not None
        gevent.sleep(0)
        print(sockets() == before)
"""


def run(script: str) -> list[str]:
    """The words that a script prints, run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.split()


def test_a_closed_client_leaves_no_connection_open_wherever_its_greenlet_was_killed() -> None:
    assert run(KILLED_WHILE_IT_ASKS) == ["True"] * 4


def test_a_request_that_is_ended_while_it_connects_leaves_no_socket_to_who_keeps_its_error() -> (
    None
):
    assert run(ENDED_WHILE_IT_CONNECTS) == ["True"] * 8
