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
from kptv.upstream.client import Client

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
    client = Client(config).alone(source)
    assert ask(client).content == b"hi"
    assert not hung_up.is_set()
    asking = gevent.spawn(ask, client)
    for _ in range(waits):
        gevent.sleep(0)
    asking.kill()
    client.close()
    print(hung_up.wait(5))
"""


def test_a_closed_client_leaves_no_connection_open_wherever_its_greenlet_was_killed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_IT_ASKS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["True"] * 4
