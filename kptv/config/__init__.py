"""The settings: read once from the environment and ``.env``, checked, frozen.

``settings`` has a row for each of them, ``parsers`` what reads their texts, ``sources`` what reads
SOURCES, ``env_file`` the file, ``rules_file`` that of the rules; ``accepted`` keeps those that run,
``__main__`` is a command that tries them. Nothing here may import ``ssl``: gunicorn.conf.py reads
the settings before gevent patches.
"""

from kptv.config.accepted import ACCEPTED
from kptv.config.parsers import ALL_ADDRESSES, Network
from kptv.config.settings import (
    DEFAULT_SLATE,
    DEMO_MARK,
    ENV_FILE,
    LOOPBACK,
    VARIABLES,
    Config,
    load_config,
)

__all__ = [
    "ACCEPTED",
    "ALL_ADDRESSES",
    "DEFAULT_SLATE",
    "DEMO_MARK",
    "ENV_FILE",
    "LOOPBACK",
    "VARIABLES",
    "Config",
    "Network",
    "load_config",
]
