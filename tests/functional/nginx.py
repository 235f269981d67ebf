"""The shipped nginx sites, in Debian's nginx, in a folder of the test's own."""

from __future__ import annotations

import http.client
import os
import re
import signal
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from tests.functional.harness import ROOT, Answer, Viewer
from tests.functional.own_port import OnOwnPort

# What Debian's nginx.conf holds around a site, with everything in a folder of the test's own.
MAIN = """
daemon off;
{processes}
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 4096; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    sendfile on;
    tcp_nopush on;
    gzip on;
    gzip_types *;
    include {folder}/site.conf;
    include {folder}/default[.]conf;
}}
"""
# The site that Debian enables: it answers for each name that no other has.
DEFAULT_SITE = """
server {{
    listen 127.0.0.1:{port} default_server;
    server_name _;
    return 404 "Debian";
}}
"""


SITE = "nginx.conf"
EDGE = "nginx-edge.conf"


def shipped(site: str) -> str:
    """The text of a site."""
    return (ROOT / "deploy" / site).read_text()


def keeping(*, lists: bool) -> dict[str, str]:
    """The lines of SITE to turn on for its cache, as Nginx.start takes them."""
    lines = re.findall(r"^ *# (proxy_cache\S* .+;)$", shipped(SITE), re.MULTILINE)
    if lists:
        lines += re.findall(r'^ *# (".+ kptv_lists;)$', shipped(SITE), re.MULTILINE)
    assert len(lines) == 3 + lists
    return {line: line for line in lines}


class Nginx:
    """nginx with a shipped site on a port of its own."""

    def __init__(self, folder: Path, site: str = SITE) -> None:
        self._folder = folder
        self._site = site
        self._run = OnOwnPort(folder / "stderr.log")
        self.port = self._run.number

    @property
    def pid(self) -> int:
        """Its only process, which is running."""
        return self._run.pid

    @property
    def log_file(self) -> Path:
        """What it logs of requests."""
        return self._folder / "access.log"

    def start(
        self,
        *upstream_ports: int,
        uncommented: Mapping[str, str] | None = None,
        default_site: bool = False,
        processes: str = "master_process off;",
    ) -> Nginx:
        """``upstream_ports``: of the proxies that the site names, in its order.

        ``uncommented``: lines of the site to turn on, and what is to stand there. ``processes``:
        what nginx.conf says of those; with a master it can ``reload``.
        """
        site = shipped(self._site)
        for line, here in (uncommented or {}).items():
            pattern = rf"^( *)# {re.escape(line)}$"
            site, count = re.subn(pattern, lambda at, here=here: at[1] + here, site, flags=re.M)
            assert count >= 1, line
        site = site.replace("/dev/shm/", f"{self._folder}/")
        proxies = re.findall(r"^    (server [0-9.]+:808[0-9])\b", site, re.MULTILINE)
        ports = [f"server 127.0.0.1:{port}" for port in upstream_ports]
        for line, here in (
            *zip(proxies, ports, strict=True),
            ("listen 80;", f"listen 127.0.0.1:{self.port};"),
            ("listen [::]:80;", ""),
            ("access_log /var/log/nginx/access.log", f"access_log {self.log_file}"),
        ):
            assert site.count(line) == 1, line
            site = site.replace(line, here)
        (self._folder / "site.conf").write_text(site)
        if default_site:
            text = DEFAULT_SITE.format(port=self.port)
            (self._folder / "default.conf").write_text(text)
        (self._folder / "nginx.conf").write_text(
            MAIN.format(folder=self._folder, processes=processes)
        )
        self._run.run("nginx", "-p", str(self._folder), "-c", "nginx.conf", "-e", "stderr")
        return self

    def reload(self, line: str, here: str) -> None:
        """Write ``here`` in place of a line of the site, and have nginx read that."""
        file = self._folder / "site.conf"
        text = file.read_text()
        assert text.count(line) == 1, line
        file.write_text(text.replace(line, here))
        os.kill(self.pid, signal.SIGHUP)

    def stop(self) -> None:
        self._run.stop()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def ask(
        self,
        path: str,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        body: str | None = None,
        asker: str = "127.0.0.1",
        most: int | None = None,
    ) -> Answer:
        """The answer to a request from the address ``asker``; of a body ``most`` bytes."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=30, source_address=(asker, 0)
        )
        with closing(connection):
            connection.request(method, path, body, headers=dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read(most))

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.ask(path, headers)

    def links(self, path: str) -> list[str]:
        """The URLs in the channel list at ``path``."""
        return [line for line in self.get(path).text.splitlines() if not line.startswith("#")]

    def viewer(self, url: str, headers: Mapping[str, str] | None = None) -> Viewer:
        """A viewer of one of its links, begun; one who would take it compressed."""
        headers = {"Accept-Encoding": "gzip", **(headers or {})}
        return Viewer(self.port, urlsplit(url).path, headers=headers).start()
