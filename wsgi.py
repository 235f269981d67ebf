"""The WSGI application: `gunicorn -k gevent wsgi:app`."""

import sys

from kptv.app import create_app
from kptv.config import ACCEPTED
from kptv.errors import ConfigError

_BOOT_ERROR = 3  # gunicorn stops at this exit status of a worker, instead of starting another

try:
    app = create_app(ACCEPTED.get())
except ConfigError as error:
    sys.stderr.write(f"{error}\n")
    sys.exit(_BOOT_ERROR)
