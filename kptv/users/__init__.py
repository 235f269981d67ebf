"""People who watch, as they are kept: ``users.db``, who is in it now, whose a secret is.

``store`` is the file, ``current`` what it says now, ``checking`` tells whose a secret is,
``commands`` is ``python -m kptv.users``. What a user is stands in ``channels.users``.
"""
