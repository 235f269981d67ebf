"""The log: one line per change of state, and no provider's URL, host, user or password in it.

``redaction`` takes secrets out of texts, ``user_secrets`` those of users, ``formatters`` write
lines, ``filters`` keep the last ones for the page and count those that repeat, ``setup`` joins
them.
"""

from kptv.logs.setup import Log, set_up_logging

__all__ = ["Log", "set_up_logging"]
