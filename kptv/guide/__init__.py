"""The programme guide: built in a child process as a generation, which the worker reads.

``job`` is what the child is told, ``build`` the child, ``generation`` what it writes, ``reading``
what the worker reads of it; ``current`` is the one in force.
"""
