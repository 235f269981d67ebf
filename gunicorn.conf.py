"""How gunicorn runs the proxy. `gunicorn -k gevent wsgi:app` reads this file by itself."""

import os
import resource
import signal
import sys
import time

from gunicorn import util
from gunicorn.glogging import Logger
from gunicorn.workers import SUPPORTED_WORKERS

from kptv.config import load_config
from kptv.errors import ConfigError
from kptv.logs.formatters import JsonLines
from kptv.web.door import EXTRA_CONNECTIONS, SPARE_PLACES

try:
    _config = load_config()
except ConfigError as error:
    sys.exit(f"{error}\nSet them in the environment or in .env (see .env.example).")

# Thousands of viewers are thousands of descriptors; shells often allow 1,024.
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))

bind = f"0.0.0.0:{_config.port}"
worker_class = "gevent"  # one greenlet a viewer
SUPPORTED_WORKERS["gevent"] = "kptv.web.worker.Worker"  # what `-k gevent` means here
# workers: one, gunicorn's default. Not set here: a WEB_CONCURRENCY would be passed over in silence.
# A pool: when it is full nobody is let in, so web.worker refuses before that.
worker_connections = _config.max_clients + EXTRA_CONNECTIONS + SPARE_PLACES
preload_app = False  # gevent must patch before ssl is imported
timeout = 60  # seconds without a sign of life: a worker this busy hangs
_STOP_DEADLINE = 5.0  # seconds; it takes less than 2
graceful_timeout = 1  # streams are ended by the app; nothing else takes longer
keepalive = 1  # seconds; an idle connection would hold up the stop
limit_request_line = 8190  # names of channels may be long, percent-encoded
control_socket_disable = True  # else a socket in the home directory
errorlog = "-"
loglevel = "debug" if _config.debug else "info"


class JsonLogger(Logger):
    """The master's lines as the worker's are: LOG_FORMAT=json means every line."""

    def setup(self, cfg):
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(JsonLines(str))


if _config.log_format == "json":
    logger_class = JsonLogger


def on_starting(server):
    """Refuse what cannot work, however it was asked for."""
    if server.cfg.workers > 1:
        sys.exit(
            f"Cannot start with {server.cfg.workers} workers: all viewers of a channel share one"
            " upstream, and the limits of the sources are counted, in one process. One gevent"
            " worker serves a thousand viewers: leave out --workers (and WEB_CONCURRENCY)."
        )
    if server.cfg.worker_class_str != "gevent":
        sys.exit(f"Cannot start with the {server.cfg.worker_class_str} worker: use -k gevent.")
    if server.cfg.preload_app:
        sys.exit("Cannot start with --preload: gevent has to patch first. Leave it out.")


def pre_fork(server, worker):
    """A reload (SIGHUP) begins when the worker before it has hung up.

    gunicorn would start the new one first, and for a moment two would count the sources'
    connections, each for itself.
    """
    server.kill_workers(signal.SIGTERM)
    deadline = time.monotonic() + _STOP_DEADLINE
    for pid in list(server.WORKERS):
        while _runs(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        server.kill_worker(pid, signal.SIGKILL)  # one that has ended does not mind


def _runs(pid):
    """Whether this child has not ended yet; it is left to gunicorn to collect."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return False


def pre_exec(server):
    """SIGUSR2 asks for a second master beside the first: see pre_fork."""
    server.log.warning("SIGUSR2 is refused: two would exceed the limits. Stop it and start it.")
    sys.exit()


def nworkers_changed(server, new_value, old_value):
    """SIGTTIN asks for one worker more: see on_starting."""
    if old_value is not None and new_value > 1:  # at the start on_starting says more
        server.log.warning("Staying with one worker: hubs and limits live in one process.")
        server.num_workers = 1


def _write_error(sock, status_int, reason, mesg):
    """Errors are one line of plain text, also of what never was a request; none is repeated."""
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
    """gunicorn waits for bodies to end, and streams have no end: end them when it stops."""
    worker.when_stopping += worker.application.extensions["when_stopping"]
    util.write_error = _write_error  # gunicorn's own is a page of HTML, and has no setting
    # Ctrl-C reaches each process of the terminal. The master tells the worker; told twice, it
    # prints a traceback while it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
