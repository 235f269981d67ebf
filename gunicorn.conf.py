"""How gunicorn runs the proxy. `gunicorn -k gevent wsgi:app` reads this file by itself."""

import os
import resource
import signal
import sys
import time
from functools import partial
from importlib.util import find_spec

from gunicorn import sock, systemd, util
from gunicorn.glogging import Logger
from gunicorn.workers import SUPPORTED_WORKERS

from kptv.config import ACCEPTED, ENV_FILE
from kptv.errors import ConfigError
from kptv.logs.formatters import JsonLines
from kptv.web.door import EXTRA_CONNECTIONS, SPARE_PLACES
from kptv.web.listening import listen

try:
    _config = ACCEPTED.get()
except ConfigError as error:
    sys.exit(
        f"Cannot start. {error}\nSet them in the environment or in {ENV_FILE} (see .env.example)."
    )

# Thousands of viewers need thousands of descriptors; shells often allow 1,024.
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))

bind = (
    f"[{_config.host}]:{_config.port}" if ":" in _config.host else f"{_config.host}:{_config.port}"
)
worker_class = "gevent"  # one greenlet per viewer
SUPPORTED_WORKERS["gevent"] = "kptv.web.worker.Worker"  # what `-k gevent` means here
# workers: one, gunicorn's default. It is not set here, or a WEB_CONCURRENCY would be ignored in
# silence; on_starting refuses it aloud.
# When gunicorn's pool is full, it lets nobody in, so web.worker refuses before that.
worker_connections = _config.max_clients + EXTRA_CONNECTIONS + SPARE_PLACES
preload_app = False  # gevent must patch before ssl is imported
# Seconds without a sign of life, after which a worker counts as hanging. One that shares limits
# must be killed before others are given what it holds: its lease lasts 15 s.
timeout = 8 if _config.leases_url else 60
_STOP_DEADLINE = 5.0  # seconds; a worker ends in less than 2
graceful_timeout = 1  # seconds; the app ends the streams, and nothing else takes longer
# Seconds. Players of HLS, and nginx before us, come again once in a segment's length; idle
# connections are hung up when others need their place, and when the worker stops.
keepalive = 15
limit_request_line = 8190  # names of channels may be long, percent-encoded
control_socket_disable = True  # gunicorn would open one in the home directory
errorlog = "-"
loglevel = "debug" if _config.debug else "info"


class MasterLogger(Logger):
    """Writes the master's lines as the worker's: LOG_FORMAT=json means every line."""

    def setup(self, cfg):
        """As gunicorn's; also called by each reload."""
        super().setup(cfg)
        if ACCEPTED.get().log_format == "json":
            for handler in self.error_log.handlers:
                handler.setFormatter(JsonLines(str))


logger_class = MasterLogger


def on_starting(server):
    """Refuse what cannot work, however it was asked for."""
    if server.cfg.workers > 1:
        sys.exit(
            f"Cannot start with {server.cfg.workers} workers: all viewers of a channel share one"
            " upstream, and the limits of the sources are counted, in one process. One gevent"
            " worker serves a thousand viewers: leave out --workers (and WEB_CONCURRENCY). For more"
            " cores run several instances that share a LEASES_URL: make scale N=4, docs/scale.md."
        )
    if server.cfg.worker_class_str != "gevent":
        sys.exit(f"Cannot start with the {server.cfg.worker_class_str} worker: use -k gevent.")
    if server.cfg.preload_app:
        sys.exit("Cannot start with --preload: gevent has to patch first. Leave it out.")
    if _config.leases_url and find_spec("redis") is None:
        sys.exit(
            "Cannot start with LEASES_URL: the package redis is not installed. The program was"
            " upgraded without its packages: .venv/bin/pip install -r requirements.txt"
        )
    if not server.LISTENERS and not systemd.listen_fds(unset_environment=False):
        _listen(server)
    server.handle_hup = partial(_reload, server, server.handle_hup)


def _reload(server, reload):
    """On SIGHUP: only with settings that can be used; otherwise nothing happens to anybody."""
    try:
        ACCEPTED.renew()
    except ConfigError as error:
        server.log.error("Cannot reload; all goes on with the settings from before. %s", error)
    else:
        reload()


def _listen(server):
    """Open the sockets ourselves; gunicorn opens only those that are none of TCP."""
    if all(isinstance(address, tuple) for address in server.cfg.address):
        try:
            opened = [listen(host, port) for host, port in server.cfg.address]
        except ConfigError as error:
            sys.exit(str(error))
        descriptors = [each.detach() for each in opened]
        server.LISTENERS = sock.create_sockets(server.cfg, server.log, descriptors)


def pre_fork(server, worker):
    """On a reload (SIGHUP), wait until the old worker has hung up.

    gunicorn would start the new one first, and for a moment each would count the sources'
    connections for itself.
    """
    server.kill_workers(signal.SIGTERM)
    deadline = time.monotonic() + _STOP_DEADLINE
    for pid in list(server.WORKERS):
        while _runs(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        server.kill_worker(pid, signal.SIGKILL)  # harmless if it has ended


def _runs(pid):
    """Whether this child has not ended yet; gunicorn still has to collect it."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return False


def pre_exec(server):
    """SIGUSR2 asks for a second master beside the first; see pre_fork for what is wrong with it."""
    server.log.warning("SIGUSR2 is refused: two would exceed the limits. Stop it and start it.")
    sys.exit()


def nworkers_changed(server, new_value, old_value):
    """SIGTTIN asks for one more worker; see on_starting for what is wrong with it."""
    if old_value is not None and new_value > 1:  # at the start, on_starting says more
        server.log.warning("Staying with one worker: hubs and limits live in one process.")
        server.num_workers = 1


def _write_error(sock, status_int, reason, mesg):
    """One line of plain text, also for bytes that are no request; nothing of them is repeated."""
    text = f"{reason}\n"
    util.write_nonblock(
        sock,
        f"HTTP/1.1 {status_int} {reason}\r\n"
        "Connection: close\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Cache-Control: no-store\r\n"
        f"Content-Length: {len(text)}\r\n\r\n{text}".encode("latin-1"),
    )


def post_worker_init(worker):
    """End the streams when the worker stops: gunicorn would wait for bodies that have no end."""
    worker.when_stopping += worker.application.extensions["when_stopping"]
    util.write_error = _write_error  # gunicorn's own is a page of HTML, and has no setting
    # Ctrl-C reaches each process of the terminal, and the master tells the worker, too. A worker
    # that is told twice prints a traceback while it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
