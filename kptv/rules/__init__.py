"""`python -m kptv.rules`: what the rules file does, before it takes effect.

The commands look at the lists that DATA_DIR keeps, and at nothing else: no address is contacted,
no file is written, and the proxy may run meanwhile or not. ``checking``, ``previewing`` and
``explaining`` are the commands, ``opening`` reads what they need, ``kept`` gets the lists,
``contents`` tells what is in them, ``trying`` tries regular expressions, ``writing`` hides secrets.
What is told comes from ``channels.rules.report``.
"""
